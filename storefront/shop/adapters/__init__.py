"""How the shop keeps its things: DynamoDB, S3, Secrets Manager and Parameter Store behind the domain's ports."""
