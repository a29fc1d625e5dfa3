"""``make mutate``: do the checks catch mistakes? One mistake at a time is put into a synthesized stack, and whoever should
notice is asked: the course's checks, the tests that assert what must hold, the compliance rules.

For maintainers. What survives is either given an assertion or listed in ``survivors.toml`` with a reason.

| Module | What it knows |
|---|---|
| ``mutants`` | which mistakes can be made in a template, in a fixed order |
| ``words`` | what to write in place of a value |
| ``meaning`` | which of them change nothing that matters, and why |
| ``stack`` | a stack with the construct that made each resource; the same mistake in another stack |
| ``rerun`` | a pytest plugin that hands tests templates with a mistake in them |
| ``rules`` | the course's checks, cfn-lint and cdk-nag, asked about a template |
| ``run`` | processes and progress |
| ``survivors`` | the list, and whether it is true |
"""
