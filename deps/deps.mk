# Finds the libraries: by pkg-config, then at the usual places. Included by the Makefile.
#
# Gives *_CFLAGS and *_LIBS for each library. A library that is missing costs nothing until a rule
# uses it: then make stops and names the Debian package. deps/install.sh installs them all.
PKG_CONFIG ?= pkg-config

# $(call found,pkg-config name,what pkg-config shall print,what to answer when it does not know)
found = $(shell $(PKG_CONFIG) $(2) $(1) 2>/dev/null || echo '$(3)')
# $(call first,files): the first of the files that exists
first = $(firstword $(wildcard $(1)))
# $(call need,what was found,library,Debian package): stops make when nothing was found
need = $(or $(1),$(error $(2) is missing: install the Debian package $(3), or run deps/install.sh))

library_folders := $(call found,jemalloc,--variable=libdir) \
    $(addprefix /usr/lib/,$(shell $(CC) -print-multiarch 2>/dev/null)) \
    /usr/local/lib /usr/lib64 /usr/lib
header_folders := /usr/include /usr/local/include

# jemalloc, linked statically: a call to malloc does not go through the PLT, and the version that was
# tested is the one that runs.
jemalloc_archive := $(call first,$(addsuffix /libjemalloc.a,$(library_folders)))
JEMALLOC_LIBS = $(call need,$(jemalloc_archive),jemalloc,libjemalloc-dev) -lm -ldl -pthread

# xxHash is compiled into base/hash.c: only its header is needed.
xxhash_folder := $(call found,libxxhash,--variable=includedir)
xxhash_header := $(call first,$(addsuffix /xxhash.h,$(xxhash_folder) $(header_folders)))
XXHASH_CFLAGS = $(if $(call need,$(xxhash_header),xxHash,libxxhash-dev),$\
    $(if $(filter-out /usr/include,$(xxhash_folder)),-isystem $(xxhash_folder)))

# liburing, for the io_uring backend of the event loop: optional. Linked statically, so that the server
# runs where only the kernel is new enough.
uring_archive := $(if $(call first,$(addsuffix /liburing.h,$(header_folders))),$\
    $(call first,$(addsuffix /liburing.a,$(call found,liburing,--variable=libdir) $(library_folders))))
URING_CFLAGS := $(if $(uring_archive),-DLARDER_IO_URING)
URING_LIBS := $(uring_archive)

# Lua 5.1, for scripts and functions: optional. Linked statically. `LUA=` builds without.
LUA ?= lua5.1
lua_folder := $(if $(LUA),$(call found,$(LUA),--variable=includedir))
lua_header := $(if $(LUA),$(call first,$(lua_folder)/lua.h $(addsuffix /lua5.1/lua.h,$(header_folders))))
lua_archive := $(if $(lua_header),$(call first,$\
    $(addsuffix /liblua5.1.a,$(call found,$(LUA),--variable=libdir) $(library_folders))))
LUA_CFLAGS := $(if $(lua_archive),-isystem $(patsubst %/,%,$(dir $(lua_header))),-DLARDER_NO_LUA)
LUA_LIBS := $(if $(lua_archive),$(lua_archive) -lm)

# OpenSSL 3, for TLS: optional; `TLS=` builds without. Linked dynamically, so that the system's updates
# reach it.
TLS ?= $(if $(call first,$(addsuffix /openssl/core.h,$(header_folders))),yes)
TLS_CFLAGS := $(if $(TLS),,-DLARDER_NO_TLS)
TLS_LIBS := $(if $(TLS),$(call found,libssl,--libs,-lssl -lcrypto) $(call found,libcrypto,--libs,))

# nghttp2, for HTTP/2: optional; `HTTP2=` builds without. Linked dynamically, as OpenSSL is.
HTTP2 ?= $(if $(call first,$(addsuffix /nghttp2/nghttp2.h,$(header_folders))),yes)
HTTP2_CFLAGS := $(if $(HTTP2),,-DLARDER_NO_HTTP2)
HTTP2_LIBS := $(if $(HTTP2),$(call found,libnghttp2,--libs,-lnghttp2))

# For tests and benchmarks only.
hiredis_header := $(call first,$(addsuffix /hiredis/hiredis.h,$(header_folders)))
HIREDIS_LIBS = $(if $(call need,$(hiredis_header),hiredis,libhiredis-dev),$\
    $(call found,hiredis,--libs,-lhiredis))
cmocka_header := $(call first,$(addsuffix /cmocka.h,$(header_folders)))
CMOCKA_LIBS = $(if $(call need,$(cmocka_header),cmocka,libcmocka-dev),$\
    $(call found,cmocka,--libs,-lcmocka))
