# Short names for the usual tasks; meson does the building.
BUILD  ?= build
PREFIX ?= /usr/local
CC     := $(shell command -v ccache >/dev/null 2>&1 && echo "ccache gcc" || echo gcc)

all: $(BUILD)/nonagon

$(BUILD)/build.ninja:
	CC="$(CC)" meson setup $(BUILD) --prefix=$(PREFIX) >/dev/null

.PHONY: all FORCE deps demo test test-quick install bench format clean
FORCE:

$(BUILD)/nonagon: $(BUILD)/build.ninja FORCE
	@ninja -C $(BUILD) nonagon layers.stamp symbols.stamp rings.stamp >$(BUILD)/make.log || { cat $(BUILD)/make.log; exit 1; }
	@tools/longest-functions src

deps:
	tools/install-deps test

demo:
	tools/install-deps demo
	$(MAKE) all
	tools/demo

test:
	tools/install-deps test
	tools/run-tests

# Unit tests and fuzz corpora only: no root, no containers.
test-quick:
	tools/run-tests --quick

install: all
	meson install -C $(BUILD)

bench: all
	tools/install-deps test
	bench/run

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-*
