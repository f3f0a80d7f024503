"""Grafana's dashboards as code: one a file, made of the metrics in `services.metrics`, written to manifests/monitoring/dashboards."""
