# A process that imports it has a second device: the tests start one for that.
collect_ignore = ["second.py"]
