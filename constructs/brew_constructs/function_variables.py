"""What Powertools is told in every function, said once."""


def function_variables(service: str, metrics_namespace: str) -> dict[str, str]:
    """Powertools' own variables: the name that stands in every log line, and the names of the function's metrics.

    https://docs.aws.amazon.com/powertools/python/latest/environment-variables/
    """
    return {"POWERTOOLS_SERVICE_NAME": service, "POWERTOOLS_METRICS_NAMESPACE": metrics_namespace}
