"""The terminal's face: run one stage, validate a project, explain a report; no server is needed."""
