"""What several checks of phase 1 look at in the same way."""

WITHOUT_FARGATE = "storefront=ec2"
"""The switch of a student without an image builder: the stack then has no tasks and no load balancer."""
