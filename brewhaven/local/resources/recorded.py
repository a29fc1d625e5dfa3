"""What the emulator's own types keep and answer without doing it: said here, so that nothing pretends."""

from __future__ import annotations

from brewhaven.local.registry import REGISTRY

REGISTRY.recorded.update(
    {
        "AWS::EC2::Route": "kept and answered by the API; programs reach the internet as this machine does",
        "AWS::EC2::VPCEndpoint": "kept and answered by the API with its routes; calls of AWS services do not "
        "pass through it, so its policy decides nothing",
        "AWS::S3::Bucket": "lifecycle rules and server access logs are kept and answered by the API, but nothing "
        "expires and nothing is logged",
    }
)
