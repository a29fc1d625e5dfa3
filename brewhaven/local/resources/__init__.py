"""CloudFormation types and corrections of the local cloud, one file an AWS service (see ``registry``)."""
