"""The only modules that import PyGithub, PyMySQL, yoyo, boto3 or python-jenkins; each is loaded on first use."""
