/*
** Values of Lua as replies, and replies of commands as values of Lua.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "host.h"

/* Writes the output buffer into the reply of the client. */
HOST_IMPORT(write) void host_write(const char *bytes, size_t length);
/* Write a part of the reply that the server formats. */
HOST_IMPORT(write_double) void host_write_double(double value);
HOST_IMPORT(write_error) void host_write_error(const char *text, size_t length, int counted);

/* Output above this size goes to the server at once. */
#define OUTPUT_BYTES (64 * 1024)
#define LINE_BYTES 32

static void flush(void) {
  if (host_io.length > 0) host_write(host_io.bytes, host_io.length);
  host_io.length = 0;
}

static void put(lua_State *L, const char *bytes, size_t length) {
  if (host_io.length + length > OUTPUT_BYTES) {
    flush();
    if (length > OUTPUT_BYTES) {
      host_write(bytes, length);
      return;
    }
  }
  if (!host_room(&host_io, length)) host_no_memory(L);
  memcpy(host_io.bytes + host_io.length, bytes, length);
  host_io.length += length;
}

/* A type byte, a number and the end of the line. */
static void put_number(lua_State *L, char type, int64_t number) {
  char line[LINE_BYTES];
  char *end = line + LINE_BYTES, *at = end;
  uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
  *--at = '\n';
  *--at = '\r';
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (number < 0) *--at = '-';
  *--at = type;
  put(L, at, (size_t)(end - at));
}

static void put_bulk(lua_State *L, const char *bytes, size_t length) {
  put_number(L, '$', (int64_t)length);
  put(L, bytes, length);
  put(L, "\r\n", 2);
}

static void put_null(lua_State *L, int version) {
  if (version == 3) put(L, "_\r\n", 3);
  else put(L, "$-1\r\n", 5);
}

/* Text on one line; line breaks in it become spaces. */
static void put_line(lua_State *L, char type, const char *text, size_t length) {
  put(L, &type, 1);
  for (size_t i = 0; i < length;) {
    size_t clean = i;
    while (clean < length && text[clean] != '\r' && text[clean] != '\n') clean++;
    put(L, text + i, clean - i);
    if (clean < length) put(L, " ", 1);
    i = clean + 1;
  }
  put(L, "\r\n", 2);
}

/* Pushes a field of the table on top of the stack, if it has the type; otherwise pushes nothing. */
static int push_field(lua_State *L, const char *name, int type) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (lua_type(L, -1) == type) return 1;
  lua_pop(L, 1);
  return 0;
}

static void write_value(lua_State *L, int version, int resp);

static void write_error(lua_State *L) {
  flush();
  int counted = 0;
  if (push_field(L, "ignore_error_stats_update", LUA_TBOOLEAN)) {
    counted = lua_toboolean(L, -1);
    lua_pop(L, 1);
  }
  push_field(L, "err", LUA_TSTRING);
  const char *text = lua_tostring(L, -1);
  host_write_error(text, strlen(text), counted);
  lua_pop(L, 1);
}

static void write_verbatim(lua_State *L, int version, const char *format, const char *text, size_t length) {
  if (version != 3) {
    put_bulk(L, text, length);
    return;
  }
  char shown[4] = { ' ', ' ', ' ', ':' };
  for (int i = 0; i < 3 && format[i] != '\0'; i++) shown[i] = format[i];
  put_number(L, '=', (int64_t)length + 4);
  put(L, shown, 4);
  put(L, text, length);
  put(L, "\r\n", 2);
}

/* Writes the table on top of the stack if it is a verbatim string. */
static int write_if_verbatim(lua_State *L, int version) {
  int found = 0, top = lua_gettop(L);
  if (push_field(L, "verbatim_string", LUA_TTABLE) && push_field(L, "format", LUA_TSTRING)) {
    const char *format = lua_tostring(L, -1);
    lua_pushvalue(L, -2);
    if (push_field(L, "string", LUA_TSTRING)) {
      size_t length;
      const char *text = lua_tolstring(L, -1, &length);
      write_verbatim(L, version, format, text, length);
      found = 1;
    }
  }
  lua_settop(L, top);
  return found;
}

static int64_t count_fields(lua_State *L) {
  int64_t count = 0;
  for (lua_pushnil(L); lua_next(L, -2); count++) lua_pop(L, 1);
  return count;
}

/* A map or a set, whose table is on top of the stack; in a set only the keys count. */
static void write_fields(lua_State *L, int version, int resp, int pairs) {
  int64_t count = count_fields(L);
  if (version == 3) put_number(L, pairs ? '%' : '~', count);
  else put_number(L, '*', pairs ? count * 2 : count);
  for (lua_pushnil(L); lua_next(L, -2);) {
    if (!pairs) lua_pop(L, 1);
    lua_pushvalue(L, pairs ? -2 : -1);
    write_value(L, version, resp);
    if (pairs) write_value(L, version, resp);
  }
}

static void write_array(lua_State *L, int version, int resp) {
  int count = 0;
  for (int done = 0; !done;) {
    lua_rawgeti(L, -1, count + 1);
    done = lua_isnil(L, -1);
    count += !done;
    lua_pop(L, 1);
  }
  put_number(L, '*', count);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    write_value(L, version, resp);
  }
}

/* Writes the table on top of the stack. */
static void write_table(lua_State *L, int version, int resp) {
  size_t length;
  if (push_field(L, "err", LUA_TSTRING)) {
    lua_pop(L, 1);
    write_error(L);
  } else if (push_field(L, "ok", LUA_TSTRING)) {
    const char *text = lua_tostring(L, -1);
    put_line(L, '+', text, strlen(text));
    lua_pop(L, 1);
  } else if (push_field(L, "double", LUA_TNUMBER)) {
    flush();
    host_write_double(lua_tonumber(L, -1));
    lua_pop(L, 1);
  } else if (push_field(L, "big_number", LUA_TSTRING)) {
    const char *digits = lua_tolstring(L, -1, &length);
    if (version == 3) {
      put_line(L, '(', digits, length);
    } else {
      put_number(L, '$', (int64_t)length);
      for (size_t i = 0; i < length; i++) put(L, digits[i] == '\r' || digits[i] == '\n' ? " " : digits + i, 1);
      put(L, "\r\n", 2);
    }
    lua_pop(L, 1);
  } else if (write_if_verbatim(L, version)) {
    return;
  } else if (push_field(L, "map", LUA_TTABLE)) {
    write_fields(L, version, resp, 1);
    lua_pop(L, 1);
  } else if (push_field(L, "set", LUA_TTABLE)) {
    write_fields(L, version, resp, 0);
    lua_pop(L, 1);
  } else {
    write_array(L, version, resp);
  }
}

/* Tables within each other that the stack of the module can hold. */
#define DEPTH_MAX 1500
static int depth;

static void write_value(lua_State *L, int version, int resp) {
  static const char too_deep[] = "ERR reached lua stack limit";
  if (depth > DEPTH_MAX || !lua_checkstack(L, 6)) {
    flush();
    host_write_error(too_deep, sizeof too_deep - 1, 0);
    lua_pop(L, 1);
    return;
  }
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
      size_t length;
      const char *bytes = lua_tolstring(L, -1, &length);
      put_bulk(L, bytes, length);
      break;
    }
    case LUA_TNUMBER:
      put_number(L, ':', (int64_t)lua_tonumber(L, -1));
      break;
    case LUA_TBOOLEAN: {
      int value = lua_toboolean(L, -1);
      if (resp == 3 && version == 3) put(L, value ? "#t\r\n" : "#f\r\n", 4);
      else if (resp == 3 || value) put_number(L, ':', value);
      else put_null(L, version);
      break;
    }
    case LUA_TTABLE:
      depth++;
      write_table(L, version, resp);
      depth--;
      break;
    default:
      put_null(L, version);
  }
  lua_pop(L, 1);
}

void host_write_reply(lua_State *L, int version, int resp) {
  depth = 0;
  write_value(L, version, resp);
}

/* Replies of commands. The server writes them, so their form needs no check. */

static const char *reading;

static int64_t read_number(void) {
  int negative = *reading == '-';
  uint64_t number = 0;
  if (negative) reading++;
  while (*reading != '\r') number = number * 10 + (uint64_t)(*reading++ - '0');
  reading += 2;
  return negative ? -(int64_t)number : (int64_t)number;
}

static const char *read_line(size_t *length) {
  const char *line = reading;
  while (*reading != '\r') reading++;
  *length = (size_t)(reading - line);
  reading += 2;
  return line;
}

static void push_named(lua_State *L, const char *name, const char *text, size_t length) {
  lua_createtable(L, 0, 1);
  lua_pushlstring(L, text, length);
  lua_setfield(L, -2, name);
}

static void read_value(lua_State *L);

/* A map or a set within a table that names its kind. It grows field by field, so that its order is that of Redis. */
static void read_fields(lua_State *L, const char *name, int pairs) {
  int64_t count = read_number();
  lua_createtable(L, 0, 1);
  lua_newtable(L);
  while (count-- > 0) {
    read_value(L);
    if (pairs) read_value(L);
    else lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, name);
}

/* Pushes the next value of the reply. */
static void read_value(lua_State *L) {
  size_t length;
  luaL_checkstack(L, 5, "reply too deep");
  switch (*reading++) {
    case ':':
      lua_pushnumber(L, (lua_Number)read_number());
      return;
    case '$': {
      int64_t size = read_number();
      if (size < 0) {
        lua_pushboolean(L, 0);
        return;
      }
      lua_pushlstring(L, reading, (size_t)size);
      reading += size + 2;
      return;
    }
    case '+': {
      const char *text = read_line(&length);
      push_named(L, "ok", text, length);
      return;
    }
    case '-': {
      const char *text = read_line(&length);
      char *line = (char *)text - 1;
      host_push_error(L, line, length + 1);
      lua_pushboolean(L, 1);
      lua_setfield(L, -2, "ignore_error_stats_update");
      return;
    }
    case '*': case '>': {
      int64_t count = read_number();
      if (count < 0) {
        lua_pushboolean(L, 0);
        return;
      }
      lua_createtable(L, (int)count, 0);
      for (int i = 1; i <= count; i++) {
        read_value(L);
        lua_rawseti(L, -2, i);
      }
      return;
    }
    case '%':
      read_fields(L, "map", 1);
      return;
    case '~':
      read_fields(L, "set", 0);
      return;
    case '_':
      reading += 2;
      lua_pushnil(L);
      return;
    case '#':
      lua_pushboolean(L, *reading == 't');
      reading += 3;
      return;
    case ',': {
      const char *text = read_line(&length);
      lua_createtable(L, 0, 1);
      lua_pushnumber(L, strtod(text, NULL));
      lua_setfield(L, -2, "double");
      return;
    }
    case '(': {
      const char *text = read_line(&length);
      push_named(L, "big_number", text, length);
      return;
    }
    case '=': {
      int64_t size = read_number();
      lua_createtable(L, 0, 1);
      push_named(L, "string", reading + 4, (size_t)size - 4);
      lua_pushlstring(L, reading, 3);
      lua_setfield(L, -2, "format");
      lua_setfield(L, -2, "verbatim_string");
      reading += size + 2;
      return;
    }
    case '|': {
      /* Attributes are not shown to scripts. */
      for (int64_t count = 2 * read_number(); count > 0; count--) {
        read_value(L);
        lua_pop(L, 1);
      }
      read_value(L);
      return;
    }
    default:
      luaL_error(L, "unknown reply");
  }
}

int host_read_reply(lua_State *L) {
  int failed = host_io.bytes[0] == '-';
  reading = host_io.bytes;
  read_value(L);
  return failed;
}
