"""`python -m pipelines.retrain`: renew pipelines/compiled/retrain.yaml."""

from pipelines.retrain.pipeline import compile_to

print(compile_to())
