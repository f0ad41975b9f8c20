"""YARN in cluster mode: the driver runs on the cluster, and lives on when its task dies."""
