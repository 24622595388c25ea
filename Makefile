# Larder. `make`, `make run`, `make test`, `make check`, `make bench`, `make install`.
# Variables: SANITIZE=address,undefined  DEBUG=1  V=1  BUILD=folder  PREFIX= DESTDIR=
BUILD ?= build
CC = gcc
CFLAGS = -std=gnu11 -g -O2 -Isrc -MMD -MP -Wall -Wextra -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla
SOURCES = $(filter-out src/server/main.c,$(wildcard src/*/*.c))
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o)
all: $(OBJECTS)
$(BUILD)/%.o: %.c
	@mkdir -p $(dir $@)
	$(CC) $(CFLAGS) -c -o $@ $<
-include $(OBJECTS:.o=.d)
