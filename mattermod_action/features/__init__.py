"""The table of contents: one line a feature. The name is its config section and its file."""

FEATURES = ("label_messages",)
