"""``make mutate``: do the checks catch mistakes? One at a time is made in a synthesized stack, and all who should
notice are asked: the course's checks, the tests that assert what must hold, the compliance rules.

For maintainers. What survives is either given an assertion or listed in ``survivors.toml`` with a reason.

| Module | What it knows |
|---|---|
| ``mutants`` | which mistakes can be made in a template, in a fixed order |
| ``words``, ``policies`` | what stands there instead: of a value, of a grant |
| ``meaning`` | which of them change nothing that matters, and why |
| ``stack``, ``references`` | a stack with the construct that made each resource; the same mistake in another stack |
| ``assembly`` | such a stack, read from what the CDK synthesized |
| ``rerun`` | a pytest plugin that hands tests templates with a mistake in them |
| ``rules`` | cfn-lint and cdk-nag, asked about a template |
| ``panel`` | all who may notice, one after the other |
| ``run`` | processes and progress |
| ``survivors``, ``report`` | the list, and whether it is true; what is printed |
"""
