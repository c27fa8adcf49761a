# softdelete: PGXS build, install, and the tests that need no server of their own.
# scripts/test does it all: dependencies, build, server, every kind of test.

EXTENSION = softdelete
MODULE_big = softdelete
PGFILEDESC = "softdelete - soft delete for PostgreSQL"
DATA = $(wildcard sql/softdelete--*.sql)
DOCS = $(wildcard doc/*.md)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-clobbered $(if $(WERROR),-Werror)

# pg_regress looks for sql, expected and specs below one folder
TEST_INPUT = build/test
REGRESS = $(sort $(basename $(notdir $(wildcard sql_tests/*.sql))))
REGRESS_OPTS = --inputdir=$(TEST_INPUT) --outputdir=$(TEST_INPUT) --load-extension=softdelete
ISOLATION = $(sort $(basename $(notdir $(wildcard sql_tests/isolation/*.spec))))
ISOLATION_OPTS = --inputdir=$(TEST_INPUT)/isolation --outputdir=$(TEST_INPUT)/isolation \
	--load-extension=softdelete
TAP_TESTS = $(if $(wildcard sql_tests/tap/*.pl),1)
PROVE_TESTS = sql_tests/tap/*.pl

EXTRA_CLEAN = build
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h)

installcheck: test-input

# a release tarball of what is committed; the control file has the version
VERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" softdelete.control)
.PHONY: dist
dist:
	@mkdir -p build
	git archive --prefix=softdelete-$(VERSION)/ -o build/softdelete-$(VERSION).tar.gz HEAD

.PHONY: test-input
test-input:
	@mkdir -p $(TEST_INPUT)/isolation
	@ln -sfn $(CURDIR)/sql_tests $(TEST_INPUT)/sql
	@ln -sfn $(CURDIR)/expected $(TEST_INPUT)/expected
	@ln -sfn $(CURDIR)/sql_tests/isolation $(TEST_INPUT)/isolation/specs
	@ln -sfn $(CURDIR)/expected/isolation $(TEST_INPUT)/isolation/expected
