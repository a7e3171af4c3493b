# The commands of this project. What is more than a line lies in scripts/ and proto-tests/cluster.

# Ports of the two endpoints of `make run`.
PORT ?= 27017
SECONDARY_PORT ?= 27018
# The table that `make bench` measures.
TABLE ?= short
# Where `make run` keeps its data; without it, ./var.
data = $(if $(ERMINE_DATA),--data '$(ERMINE_DATA)')

.PHONY: help run clean-data test bench bench-full gen

help:
	@echo "make run         PostgreSQL primary and standby with Ermine in front; Ctrl-C stops it (PORT, SECONDARY_PORT, ERMINE_DATA)"
	@echo "make clean-data  remove the data of make run"
	@echo "make test        every check"
	@echo "make bench       Ermine's speed beside the same SQL calls without it, in 3 minutes (TABLE: one of bench/README.md)"
	@echo "make bench-full  every table of bench/README.md, in an hour"
	@echo "make gen         rewrite what is generated from the command table and the configuration"

run:
	@scripts/install.sh run
	@echo "Building Ermine …"
	@cargo build --locked --release --quiet -p ermine -p ermine-cluster
	@echo "Building the extension …"
	@cd extension && cargo build --locked --release --quiet -p ermine-pg
	@target/release/ermine-cluster run $(data) --port $(PORT) --secondary-port $(SECONDARY_PORT) \
	  --proxy target/release/ermine --extension extension/target/release/libermine.so

clean-data:
	@cargo build --locked --release --quiet -p ermine-cluster
	@target/release/ermine-cluster clean-data $(data)

test:
	@scripts/test.sh

bench:
	@scripts/install.sh run
	@scripts/bench.sh $(TABLE)

bench-full:
	@scripts/install.sh run
	@scripts/bench.sh full

gen:
	@scripts/gen.sh
