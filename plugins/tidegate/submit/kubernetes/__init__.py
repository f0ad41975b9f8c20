"""Kubernetes in cluster mode: the driver is a pod, and lives on when its task dies."""
