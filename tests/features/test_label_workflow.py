"""What a rule of label_workflow may say, and which texts follow."""

from __future__ import annotations

import pytest

from mattermod_action.config import ConfigErrors, load

RULE = "label_workflow.rules[0]"
ONE_OF = "must be number, sha, head_ref, base_ref, repository, head_repository, author, url or key"
MISTAKES = {
    "{label: A}": f"c.yml:2: {RULE}: must have either `workflow` or `event`",
    "{label: A, workflow: b.yml, event: b}": f"c.yml:2: {RULE}: must have either `workflow` or `event`",
    "{label: A, event: b, ref: main}": (
        f"c.yml:2: {RULE}: must not have `ref` with `event`: it reaches the default branch"
    ),
    "{label: A, workflow: b.yml, inputs: {x: title}}": f"c.yml:2: {RULE}.inputs.x: {ONE_OF}",
    "{label: A, workflow: b.yml, inputs: {x: '$${{ github.token }}'}}": f"c.yml:2: {RULE}.inputs.x: {ONE_OF}",
    "{label: A, workflow: b.yml, mesage: x}": (f'c.yml:2: {RULE}.mesage: unknown key, did you mean "message"?'),
    "{label: A, workflow: b.yml, repository: builds}": f"c.yml:2: {RULE}.repository: must be OWNER/NAME",
    "{label: A, workflow: b.yml, repository: a/../b}": f"c.yml:2: {RULE}.repository: must be OWNER/NAME",
    "{label: A, event: 'a b'}": f"c.yml:2: {RULE}.event: must be up to 100 characters without white space",
    "{label: A, workflow: b.yml, done: ' '}": f"c.yml:2: {RULE}.done: must not be empty",
    f"{{label: A, event: b, inputs: {{{', '.join(f'i{n}: sha' for n in range(11))}}}}}": (
        f"c.yml:2: {RULE}: has 11 inputs, and GitHub takes 10"
    ),
    f"{{label: A, workflow: b.yml, inputs: {{{', '.join(f'i{n}: sha' for n in range(26))}}}}}": (
        f"c.yml:2: {RULE}: has 26 inputs, and GitHub takes 25"
    ),
}


@pytest.mark.parametrize("rule", MISTAKES, ids=lambda rule: rule[:50])
def test_a_mistake_is_one_line(rule: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(f"label_workflow:\n  rules: [{rule}]\n", "c.yml")
    assert str(caught.value).splitlines() == [MISTAKES[rule]]


@pytest.mark.parametrize("file", ["build", "../build.yml", ".github/workflows/build.yml", "a b.yml", "build.yml?x", ""])
def test_a_workflow_is_a_files_name(file: str) -> None:
    """It becomes a part of an address."""
    with pytest.raises(ConfigErrors, match="must be the name of a file in"):
        load(f"label_workflow:\n  rules: [{{label: A, workflow: '{file}'}}]\n", "c.yml")


@pytest.mark.parametrize("name", ["1x", "a b", "x.y", "$(id)", ""])
def test_an_input_is_a_name(name: str) -> None:
    with pytest.raises(ConfigErrors, match="is no name of an input"):
        load(f"label_workflow:\n  rules: [{{label: A, workflow: a.yml, inputs: {{'{name}': sha}}}}]\n", "c.yml")
