"""Addresses of a node. They are its own network's alone: any number of nodes may have the same."""

import ipaddress

NAME = "node-1"
NODE = "10.123.0.1"
DNS = "10.123.0.53"  # of the name server, which is treated as a pod of kube-system
PREFIX = 24  # bits of the network of those two
PODS = ipaddress.ip_network("10.244.0.0/24")
SERVICES = ipaddress.ip_network("10.96.0.0/16")
KUBERNETES = "10.96.0.1"  # the service `kubernetes`
DNS_SERVICE = "10.96.0.10"
DOMAIN = "cluster.local"
API_PORT = 6443
METRICS_PORT = 4443
