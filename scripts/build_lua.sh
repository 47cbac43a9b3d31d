#!/bin/sh
# Builds the WebAssembly module with Lua and the libraries for scripts, and writes it into src/scripting/lua/binary.ts.
#
# Debian's source packages lua5.1 and lua-cjson are patched, and compiled with Debian's clang 19, lld 19, wasi-libc and
# libclang-rt-19-dev-wasm32. The same versions give the same bytes. With --check nothing is written, and the result must
# be what binary.ts holds.
#
# Needs: dpkg-dev clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32, deno, and an apt that knows source packages or a
# folder with the two unpacked packages in LUA_SOURCES.
set -eu

scripts=$(cd "$(dirname "$0")" && pwd)
here=$scripts/../src/scripting/lua
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

if [ -n "${LUA_SOURCES:-}" ]; then
  cp -r "$LUA_SOURCES"/lua5.1-5.1.5 "$LUA_SOURCES"/lua-cjson-2.1.0+dfsg .
else
  apt-get source -qq lua5.1=5.1.5-9 lua-cjson=2.1.0+dfsg-2.2
fi
patch -s -p1 -d lua5.1-5.1.5 < "$here/patches/lua.patch"
patch -s -p1 -d lua-cjson-2.1.0+dfsg < "$here/patches/cjson.patch"

lua=lua5.1-5.1.5/src
cjson=lua-cjson-2.1.0+dfsg
cc="clang-19 --target=wasm32-wasi -O3 -std=gnu11 -mllvm -wasm-enable-sjlj -mbulk-memory \
  -ffile-prefix-map=$work=. -Dexit=host_exit -DENABLE_CJSON_GLOBAL -fgnu89-inline \
  -Wall -Wno-unused-function -Wno-misleading-indentation \
  -I$here/include -I$here -I$lua -I$cjson"

for file in lapi lcode ldebug ldo ldump lfunc lgc llex lmem lobject lopcodes lparser lstate lstring ltable ltm lundump lvm lzio \
  lauxlib lbaselib lmathlib lstrlib ltablib; do
  $cc -c "$lua/$file.c" -o "$file.o"
done
for file in lua_cjson fpconv; do $cc -DNDEBUG -include quiet.h -Wno-unused-value -c "$cjson/$file.c" -o "$file.o"; done
for file in "$here"/*.c; do $cc -c "$file" -o "host_$(basename "$file" .c).o"; done

clang-19 --target=wasm32-wasi -nostartfiles -fuse-ld=lld -O3 -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=524288 \
  -Wl,--stack-first -Wl,--initial-memory=2097152 -Wl,--max-memory=2147418112 ./*.o -o lua.wasm

deno run -q --no-config --allow-read --allow-write="$here" "$scripts/embed_lua.ts" lua.wasm "$here/binary.ts" "$@"
