/*
** The library `cmsgpack`: values as MessagePack and back.
**
** A table whose keys are exactly 1 to n becomes an array, every other table a map. A table below the 16th level, and a
** value that MessagePack does not have, becomes nil. A number without a fraction becomes the shortest integer.
*/
#include <limits.h>
#include <string.h>

#include "lauxlib.h"
#include "host.h"

#define DEPTH_MAX 16

/* The bytes of a value that is encoded. The buffer stays for the next call. */
static HostBuffer out;

void host_trim_msgpack(void) {
  host_trim(&out);
}

static void put(lua_State *L, const void *bytes, size_t size) {
  if (!host_room(&out, size)) host_no_memory(L);
  memcpy(out.bytes + out.length, bytes, size);
  out.length += size;
}

/* A type byte and a big-endian number of `size` bytes. */
static void put_number(lua_State *L, int type, uint64_t value, size_t size) {
  unsigned char bytes[9];
  bytes[0] = (unsigned char)type;
  for (size_t i = size; i > 0; i--, value >>= 8) bytes[i] = (unsigned char)value;
  put(L, bytes, size + 1);
}

/* The header of an array or a map. */
static void put_header(lua_State *L, int small, int type16, size_t count) {
  if (count <= 15) put_number(L, small | (int)count, 0, 0);
  else if (count <= 0xffff) put_number(L, type16, count, 2);
  else put_number(L, type16 + 1, count, 4);
}

static void put_string(lua_State *L, const char *bytes, size_t size) {
  if (size < 32) put_number(L, 0xa0 | (int)size, 0, 0);
  else if (size <= 0xff) put_number(L, 0xd9, size, 1);
  else if (size <= 0xffff) put_number(L, 0xda, size, 2);
  else put_number(L, 0xdb, size, 4);
  put(L, bytes, size);
}

static void put_integer(lua_State *L, int64_t n) {
  uint64_t bits = (uint64_t)n;
  if (n >= 0) {
    if (n <= 127) put_number(L, (int)n, 0, 0);
    else if (n <= 0xff) put_number(L, 0xcc, bits, 1);
    else if (n <= 0xffff) put_number(L, 0xcd, bits, 2);
    else if (n <= 0xffffffffLL) put_number(L, 0xce, bits, 4);
    else put_number(L, 0xcf, bits, 8);
  } else {
    if (n >= -32) put_number(L, (int)(n & 0xff), 0, 0);
    else if (n >= -128) put_number(L, 0xd0, bits, 1);
    else if (n >= -32768) put_number(L, 0xd1, bits, 2);
    else if (n >= -2147483648LL) put_number(L, 0xd2, bits, 4);
    else put_number(L, 0xd3, bits, 8);
  }
}

static void put_double(lua_State *L, double number) {
  float shorter = (float)number;
  if ((double)shorter == number) {
    uint32_t bits;
    memcpy(&bits, &shorter, sizeof bits);
    put_number(L, 0xca, bits, 4);
  } else {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_number(L, 0xcb, bits, 8);
  }
}

static int is_finite(double number) {
  return number - number == 0;
}

/* Whether the keys of the table on top of the stack are the integers from 1 to their number. */
static int is_array(lua_State *L) {
  int count = 0, max = 0, top = lua_gettop(L);
  luaL_checkstack(L, 2, "in function table_is_an_array");
  for (lua_pushnil(L); lua_next(L, -2); count++) {
    lua_pop(L, 1);
    lua_Number n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(n > 0) || !is_finite(n) || (lua_Number)(int)n != n) {
      lua_settop(L, top);
      return 0;
    }
    if (n > max) max = (int)n;
  }
  return max == count;
}

static void encode(lua_State *L, int depth);

static void encode_array(lua_State *L, int depth) {
  size_t length = lua_objlen(L, -1);
  put_header(L, 0x90, 0xdc, length);
  luaL_checkstack(L, 1, "in function mp_encode_lua_table_as_array");
  for (size_t i = 1; i <= length; i++) {
    lua_pushnumber(L, (lua_Number)i);
    lua_gettable(L, -2);
    encode(L, depth + 1);
  }
}

static void encode_map(lua_State *L, int depth) {
  size_t count = 0;
  luaL_checkstack(L, 3, "in function mp_encode_lua_table_as_map");
  for (lua_pushnil(L); lua_next(L, -2); count++) lua_pop(L, 1);
  put_header(L, 0x80, 0xde, count);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pushvalue(L, -2);
    encode(L, depth + 1);
    encode(L, depth + 1);
  }
}

/* Encodes the value on top of the stack and pops it. */
static void encode(lua_State *L, int depth) {
  int type = lua_type(L, -1);
  if (type == LUA_TTABLE && depth == DEPTH_MAX) type = LUA_TNIL;
  switch (type) {
    case LUA_TSTRING: {
      size_t size;
      const char *bytes = lua_tolstring(L, -1, &size);
      put_string(L, bytes, size);
      break;
    }
    case LUA_TBOOLEAN:
      put_number(L, lua_toboolean(L, -1) ? 0xc3 : 0xc2, 0, 0);
      break;
    case LUA_TNUMBER: {
      lua_Number n = lua_tonumber(L, -1);
      if (is_finite(n) && (lua_Number)(int64_t)n == n) put_integer(L, (int64_t)n);
      else put_double(L, n);
      break;
    }
    case LUA_TTABLE:
      if (is_array(L)) encode_array(L, depth);
      else encode_map(L, depth);
      break;
    default:
      put_number(L, 0xc0, 0, 0);
  }
  lua_pop(L, 1);
}

static int pack(lua_State *L) {
  int count = lua_gettop(L);
  if (count == 0) return luaL_argerror(L, 0, "MessagePack pack needs input.");
  if (!lua_checkstack(L, count)) return luaL_argerror(L, 0, "Too many arguments for MessagePack pack.");
  out.length = 0;
  for (int i = 1; i <= count; i++) {
    luaL_checkstack(L, 1, "in function mp_check");
    lua_pushvalue(L, i);
    encode(L, 0);
  }
  lua_pushlstring(L, out.bytes, out.length);
  return 1;
}

typedef struct Input {
  const unsigned char *at;
  size_t left;
} Input;

static const unsigned char *take(lua_State *L, Input *in, size_t size) {
  if (in->left < size) luaL_error(L, "Missing bytes in input.");
  const unsigned char *bytes = in->at;
  in->at += size;
  in->left -= size;
  return bytes;
}

static uint64_t take_number(lua_State *L, Input *in, size_t size) {
  const unsigned char *bytes = take(L, in, size);
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

static void take_string(lua_State *L, Input *in, size_t size) {
  const unsigned char *bytes = take(L, in, size);
  lua_pushlstring(L, (const char *)bytes, size);
}

static void decode(lua_State *L, Input *in);

static void decode_array(lua_State *L, Input *in, size_t count) {
  lua_newtable(L);
  luaL_checkstack(L, 1, "in function mp_decode_to_lua_array");
  for (size_t i = 1; i <= count; i++) {
    lua_pushnumber(L, (lua_Number)i);
    decode(L, in);
    lua_settable(L, -3);
  }
}

static void decode_map(lua_State *L, Input *in, size_t count) {
  lua_newtable(L);
  for (; count > 0; count--) {
    decode(L, in);
    decode(L, in);
    lua_settable(L, -3);
  }
}

/* Decodes one value and pushes it. */
static void decode(lua_State *L, Input *in) {
  if (in->left < 1) luaL_error(L, "Missing bytes in input.");
  luaL_checkstack(L, 1, "too many return values at once; use unpack_one or unpack_limit instead.");
  int type = *take(L, in, 1);
  switch (type) {
    case 0xc0: lua_pushnil(L); return;
    case 0xc2: lua_pushboolean(L, 0); return;
    case 0xc3: lua_pushboolean(L, 1); return;
    case 0xca: {
      uint32_t bits = (uint32_t)take_number(L, in, 4);
      float number;
      memcpy(&number, &bits, sizeof number);
      lua_pushnumber(L, number);
      return;
    }
    case 0xcb: {
      uint64_t bits = take_number(L, in, 8);
      double number;
      memcpy(&number, &bits, sizeof number);
      lua_pushnumber(L, number);
      return;
    }
    case 0xcc: lua_pushnumber(L, (lua_Number)take_number(L, in, 1)); return;
    case 0xcd: lua_pushnumber(L, (lua_Number)take_number(L, in, 2)); return;
    case 0xce: lua_pushnumber(L, (lua_Number)take_number(L, in, 4)); return;
    case 0xcf: lua_pushnumber(L, (lua_Number)take_number(L, in, 8)); return;
    case 0xd0: lua_pushnumber(L, (int8_t)take_number(L, in, 1)); return;
    case 0xd1: lua_pushnumber(L, (int16_t)take_number(L, in, 2)); return;
    case 0xd2: lua_pushnumber(L, (int32_t)take_number(L, in, 4)); return;
    case 0xd3: lua_pushnumber(L, (lua_Number)(int64_t)take_number(L, in, 8)); return;
    case 0xd9: take_string(L, in, (size_t)take_number(L, in, 1)); return;
    case 0xda: take_string(L, in, (size_t)take_number(L, in, 2)); return;
    case 0xdb: take_string(L, in, (size_t)take_number(L, in, 4)); return;
    case 0xdc: decode_array(L, in, (size_t)take_number(L, in, 2)); return;
    case 0xdd: decode_array(L, in, (size_t)take_number(L, in, 4)); return;
    case 0xde: decode_map(L, in, (size_t)take_number(L, in, 2)); return;
    case 0xdf: decode_map(L, in, (size_t)take_number(L, in, 4)); return;
  }
  if (type < 0x80) lua_pushnumber(L, type);
  else if (type >= 0xe0) lua_pushnumber(L, (int8_t)type);
  else if (type >= 0xa0 && type < 0xc0) take_string(L, in, type & 0x1f);
  else if (type >= 0x90 && type < 0xa0) decode_array(L, in, type & 0xf);
  else if (type < 0x90) decode_map(L, in, type & 0xf);
  else luaL_error(L, "Bad data format in input.");
}

/* Without limit and offset all values are unpacked; otherwise the next offset comes before them. */
static int unpack_some(lua_State *L, lua_Integer limit, lua_Integer offset) {
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  int all = limit == 0 && offset == 0, count = 0;
  if (offset < 0 || limit < 0) {
    return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", (int)offset, (int)length);
  }
  if ((uint64_t)offset > length) {
    return luaL_error(L, "Start offset %d greater than input length %d.", (int)offset, (int)length);
  }
  if (all) limit = INT_MAX;
  host_note(length);
  Input in = { (const unsigned char *)bytes + offset, length - (size_t)offset };
  for (; in.left > 0 && count < limit; count++) decode(L, &in);
  if (all) return count;
  luaL_checkstack(L, 1, "in function mp_unpack_full");
  lua_pushinteger(L, in.left == 0 ? -1 : (lua_Integer)(length - in.left));
  lua_insert(L, 2);
  return count + 1;
}

static int unpack(lua_State *L) {
  return unpack_some(L, 0, 0);
}

static int unpack_one(lua_State *L) {
  lua_Integer offset = luaL_optinteger(L, 2, 0);
  lua_settop(L, 1);
  return unpack_some(L, 1, offset);
}

static int unpack_limit(lua_State *L) {
  lua_Integer limit = luaL_checkinteger(L, 2);
  lua_Integer offset = luaL_optinteger(L, 3, 0);
  lua_settop(L, 1);
  return unpack_some(L, limit, offset);
}

static const luaL_Reg FUNCTIONS[] = {
  { "pack", pack },
  { "unpack", unpack },
  { "unpack_one", unpack_one },
  { "unpack_limit", unpack_limit },
  { NULL, NULL },
};

int luaopen_cmsgpack(lua_State *L) {
  luaL_register(L, "cmsgpack", FUNCTIONS);
  /* Scripts may read these fields; their values are those of the library that Redis has. */
  lua_pushliteral(L, "cmsgpack");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "lua-cmsgpack 0.4.0");
  lua_setfield(L, -2, "_VERSION");
  lua_pushliteral(L, "Copyright (C) 2012, Salvatore Sanfilippo");
  lua_setfield(L, -2, "_COPYRIGHT");
  lua_pushliteral(L, "MessagePack C implementation for Lua");
  lua_setfield(L, -2, "_DESCRIPTION");
  return 1;
}
