"""What the emulator's own types keep and answer without doing it: said here, so that nothing pretends."""

from __future__ import annotations

from brewhaven.local.registry import REGISTRY

REGISTRY.recorded.update(
    {
        "AWS::EC2::Route": "decides which AWS services a function, a task or an instance of its subnets reaches; what "
        "else is on the internet, programs reach as this machine does",
        "AWS::S3::Bucket": "lifecycle rules and server access logs are kept and answered by the API, but nothing "
        "expires and nothing is logged",
    }
)
