"""The arguments of an operator that are Spark's and not ours."""

SPARK_ARGUMENTS = frozenset(
    "archives conf conn_id deploy_mode driver_class_path driver_memory env_vars exclude_packages "
    "executor_cores executor_memory files jars keytab num_executors packages principal "
    "properties_file proxy_user py_files repositories spark_binary total_executor_cores "
    "use_krb5ccache verbose yarn_queue".split()
)
"""They go to the Spark provider's hook as they are."""
