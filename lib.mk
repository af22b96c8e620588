# What every lib_*/Makefile does; each names its SOURCES and HEADERS, and may name its FUZZERS, the sources that these
# are linked with (FUZZED), how (LINKED) and by which libraries (LIBS).
# make: compiles with every warning an error.  make test: damaged input under the address and undefined sanitizers.
# OUT=FOLDER takes what is built; ROUNDS and SEED go to the fuzzers.
CC ?= cc
CFLAGS = -std=gnu11 -O1 -g -Wall -Wextra -Werror
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
OUT = build
FUZZERS ?= fuzz
FUZZED ?= $(SOURCES)

all: $(SOURCES:%.c=$(OUT)/%.o)

$(OUT)/%.o: %.c $(HEADERS)
	@mkdir -p $(OUT)
	$(CC) $(CFLAGS) -c -o $@ $<

$(FUZZERS:%=$(OUT)/%): $(OUT)/%: %.c $(FUZZED) $(HEADERS)
	@mkdir -p $(OUT)
	$(CC) $(CFLAGS) $(SANITIZE) $(LINKED) -o $@ $< $(FUZZED) $(LIBS)

test: $(FUZZERS:%=$(OUT)/%)
	set -e; for fuzzer in $^; do $$fuzzer $(ROUNDS) $(SEED); done

clean:
	rm -rf $(OUT)

.PHONY: all test clean
