"""A small shop on two connections to one database.

The second has softdelete.enabled = off, for flush, fixtures and the test
runner; see doc/frameworks.md.
"""
import os

SECRET_KEY = "only for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    name: {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "HOST": os.environ["PGHOST"],
        "OPTIONS": {"options": options},
    }
    for name, options in {
        "default": os.environ.get("CONNECTION_OPTIONS", ""),
        "load": "-c softdelete.enabled=off",
    }.items()
}
