"""The strategies that come with the project: examples for trying things, each with its source, none to earn with."""
