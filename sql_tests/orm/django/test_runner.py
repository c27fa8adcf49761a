"""Runs the application's tests with Django's test runner.

The test database is made, migrated, filled and emptied with
softdelete.enabled = off, as doc/frameworks.md says.
"""
import json
import os
import sys
import unittest

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
os.environ["CONNECTION_OPTIONS"] = "-c softdelete.enabled=off"

import django  # noqa: E402
from django.test.runner import DiscoverRunner  # noqa: E402


class Result(unittest.TextTestResult):
    def tell(self, test, ok, detail=None):
        print(json.dumps({"name": f"test runner: {test.id()}", "ok": ok, "detail": detail}), flush=True)

    def addSuccess(self, test):
        self.tell(test, True)

    def addFailure(self, test, err):
        self.tell(test, False, str(err[1]))

    def addError(self, test, err):
        self.tell(test, False, str(err[1]))


class Runner(DiscoverRunner):
    def get_resultclass(self):
        return Result


django.setup()
sys.exit(bool(Runner(verbosity=0, interactive=False).run_tests(["shop"])))
