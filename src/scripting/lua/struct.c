/*
** The library `struct`: packs values into strings of bytes, and unpacks them.
**
** Formats: `>` and `<` choose the order of bytes, `!n` the alignment. `b h l T` are signed or (in upper case) unsigned
** integers of 1, 2, 8 and 8 bytes, `in` and `In` of n bytes. `f` and `d` are a float and a double, `s` is a string with
** a zero behind it, `cn` a string of n bytes, `x` a zero byte.
*/
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "lauxlib.h"
#include "host.h"

#define INTEGER_BYTES_MAX 32
#define DEFAULT_ALIGNMENT 8

typedef struct Layout {
  int big;
  int alignment;
} Layout;

static const Layout DEFAULT_LAYOUT = { 0, 1 };

static int read_count(lua_State *L, const char **format, int otherwise) {
  if (!isdigit((unsigned char)**format)) return otherwise;
  int64_t count = 0;
  while (isdigit((unsigned char)**format)) {
    count = count * 10 + *(*format)++ - '0';
    if (count > INT_MAX) luaL_error(L, "integral size overflow");
  }
  return (int)count;
}

static size_t size_of(lua_State *L, char option, const char **format) {
  switch (option) {
    case 'b': case 'B': case 'x': return 1;
    case 'h': case 'H': return 2;
    case 'f': return 4;
    case 'l': case 'L': case 'T': case 'd': return 8;
    case 'c': return (size_t)read_count(L, format, 1);
    case 'i': case 'I': {
      int size = read_count(L, format, 4);
      if (size > INTEGER_BYTES_MAX) {
        luaL_error(L, "integral size %d is larger than limit of %d", size, INTEGER_BYTES_MAX);
      }
      return (size_t)size;
    }
    default: return 0;
  }
}

/* The number of bytes before an element of `size` bytes at `at`. */
static size_t padding(uint64_t at, const Layout *layout, char option, size_t size) {
  if (size == 0 || option == 'c') return 0;
  if (size > (size_t)layout->alignment) size = (size_t)layout->alignment;
  return (size - (size_t)(at & (size - 1))) & (size - 1);
}

static void change_layout(lua_State *L, char option, const char **format, Layout *layout) {
  switch (option) {
    case ' ': return;
    case '>': layout->big = 1; return;
    case '<': layout->big = 0; return;
    case '!': {
      int alignment = read_count(L, format, DEFAULT_ALIGNMENT);
      if (alignment <= 0 || (alignment & (alignment - 1)) != 0) {
        luaL_error(L, "alignment %d is not a power of 2", alignment);
      }
      layout->alignment = alignment;
      return;
    }
    default: luaL_argerror(L, 1, lua_pushfstring(L, "invalid format option '%c'", option));
  }
}

static void swap(char *bytes, size_t size, const Layout *layout) {
  if (!layout->big) return;
  for (size_t i = 0, j = size; i + 1 < j; i++) {
    char low = bytes[i];
    bytes[i] = bytes[--j];
    bytes[j] = low;
  }
}

static void pack_integer(luaL_Buffer *b, lua_Number number, const Layout *layout, size_t size) {
  char bytes[INTEGER_BYTES_MAX];
  /* Not a number converts as on x86. */
  uint64_t value = number != number ? 1ULL << 63 : number < 0 ? (uint64_t)(int64_t)number : (uint64_t)number;
  for (size_t i = 0; i < size; i++, value >>= 8) bytes[i] = (char)value;
  swap(bytes, size, layout);
  luaL_addlstring(b, bytes, size);
}

static int pack(lua_State *L) {
  size_t length;
  const char *format = luaL_checklstring(L, 1, &length);
  Layout layout = DEFAULT_LAYOUT;
  uint64_t total = 0;
  int argument = 2;
  luaL_Buffer b;
  host_note(length);
  /* Separates the arguments from the pieces of the buffer. */
  lua_pushnil(L);
  luaL_buffinit(L, &b);
  while (*format != '\0') {
    char option = *format++;
    size_t size = size_of(L, option, &format);
    size_t pad = padding(total, &layout, option, size);
    for (total += pad; pad > 0; pad--) luaL_addchar(&b, '\0');
    switch (option) {
      case 'b': case 'B': case 'h': case 'H': case 'l': case 'L': case 'T': case 'i': case 'I':
        pack_integer(&b, luaL_checknumber(L, argument++), &layout, size);
        break;
      case 'x':
        luaL_addchar(&b, '\0');
        break;
      case 'f': {
        float number = (float)luaL_checknumber(L, argument++);
        swap((char *)&number, sizeof number, &layout);
        luaL_addlstring(&b, (char *)&number, sizeof number);
        break;
      }
      case 'd': {
        double number = luaL_checknumber(L, argument++);
        swap((char *)&number, sizeof number, &layout);
        luaL_addlstring(&b, (char *)&number, sizeof number);
        break;
      }
      case 'c': case 's': {
        size_t given;
        const char *text = luaL_checklstring(L, argument++, &given);
        if (size == 0) size = given;
        luaL_argcheck(L, given >= size, argument, "string too short");
        luaL_addlstring(&b, text, size);
        if (option == 's') {
          luaL_addchar(&b, '\0');
          size++;
        }
        break;
      }
      default:
        change_layout(L, option, &format, &layout);
    }
    total += size;
  }
  luaL_pushresult(&b);
  return 1;
}

static lua_Number unpack_integer(const char *bytes, const Layout *layout, int is_signed, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) {
    value = value << 8 | (unsigned char)bytes[layout->big ? i : size - 1 - i];
  }
  if (!is_signed) return (lua_Number)value;
  /* Beyond eight bytes the position of the sign wraps around. */
  uint64_t above = ~0ULL << ((size * 8 - 1) & 63);
  if ((value & above) != 0) value |= above;
  return (lua_Number)(int64_t)value;
}

static int unpack(lua_State *L) {
  size_t format_length, length;
  const char *format = luaL_checklstring(L, 1, &format_length);
  const char *data = luaL_checklstring(L, 2, &length);
  lua_Integer first = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, first != 0, 3, "offset must be 1 or greater");
  uint64_t at = (uint64_t)first - 1;
  Layout layout = DEFAULT_LAYOUT;
  int results = 0;
  host_note(format_length + (length >> 4));
  while (*format != '\0') {
    char option = *format++;
    uint64_t size = size_of(L, option, &format);
    at += padding(at, &layout, option, (size_t)size);
    luaL_argcheck(L, size <= length && at <= length - size, 2, "data string too short");
    luaL_checkstack(L, 2, "too many results");
    const char *from = data + at;
    switch (option) {
      case 'b': case 'B': case 'h': case 'H': case 'l': case 'L': case 'T': case 'i': case 'I':
        lua_pushnumber(L, unpack_integer(from, &layout, islower((unsigned char)option), (size_t)size));
        results++;
        break;
      case 'x':
        break;
      case 'f': {
        float number;
        memcpy(&number, from, sizeof number);
        swap((char *)&number, sizeof number, &layout);
        lua_pushnumber(L, number);
        results++;
        break;
      }
      case 'd': {
        double number;
        memcpy(&number, from, sizeof number);
        swap((char *)&number, sizeof number, &layout);
        lua_pushnumber(L, number);
        results++;
        break;
      }
      case 'c':
        if (size == 0) {
          if (results == 0 || !lua_isnumber(L, -1)) luaL_error(L, "format 'c0' needs a previous size");
          lua_Number previous = lua_tonumber(L, -1);
          size = previous < 0 ? (uint64_t)(int64_t)previous : (uint64_t)previous;
          lua_pop(L, 1);
          results--;
          luaL_argcheck(L, size <= length && at <= length - size, 2, "data string too short");
        }
        lua_pushlstring(L, from, (size_t)size);
        results++;
        break;
      case 's': {
        const char *end = memchr(from, '\0', length - (size_t)at);
        if (end == NULL) luaL_error(L, "unfinished string in data");
        size = (uint64_t)(end - from) + 1;
        lua_pushlstring(L, from, (size_t)size - 1);
        results++;
        break;
      }
      default:
        change_layout(L, option, &format, &layout);
    }
    at += size;
  }
  lua_pushinteger(L, (lua_Integer)at + 1);
  return results + 1;
}

static int size(lua_State *L) {
  size_t length;
  const char *format = luaL_checklstring(L, 1, &length);
  Layout layout = DEFAULT_LAYOUT;
  uint64_t total = 0;
  host_note(length);
  while (*format != '\0') {
    char option = *format++;
    size_t bytes = size_of(L, option, &format);
    total += padding(total, &layout, option, bytes);
    if (option == 's') luaL_argerror(L, 1, "option 's' has no fixed size");
    if (option == 'c' && bytes == 0) luaL_argerror(L, 1, "option 'c0' has no fixed size");
    if (!isalnum((unsigned char)option)) change_layout(L, option, &format, &layout);
    total += bytes;
  }
  lua_pushinteger(L, (lua_Integer)total);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {
  { "pack", pack },
  { "unpack", unpack },
  { "size", size },
  { NULL, NULL },
};

int luaopen_struct(lua_State *L) {
  luaL_register(L, "struct", FUNCTIONS);
  return 1;
}
