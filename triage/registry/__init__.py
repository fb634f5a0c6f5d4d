"""The registry: write-once folders of model versions, opened only after they have proved what they are."""
