"""Parts of the JSON report that differ from the model: the plan without credentials, rules one by one."""
