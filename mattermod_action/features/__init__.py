"""The table of contents: one line a feature. The name is its config section and its file."""

FEATURES = (
    "label_messages",
    "block_merge",
    "cla",
    "welcome",
    "greeter",
    "hacktoberfest",
    "protected_paths",
    "diff_review",
    "translations",
    "update_branch",
    "auto_assign",
    "label_workflow",
    "auto_merge",
    "cherry_pick",
    "chat",
    "stale",
    "label_cleanup",  # what a closed item's labels call for is planned before they go
    "spinmint",  # after all that is quick
)
# Those that hold a merge until they say that nothing is in its way.
GATES = ("block_merge", "cla", "protected_paths", "cherry_pick")
