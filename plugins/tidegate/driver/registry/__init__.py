"""MLflow: one registered model, its versions, and models as inputs."""
