/*
** The library `bit`: operations on the lower 32 bits of numbers, with the names and results of Lua BitOp.
*/
#include <string.h>

#include "lauxlib.h"
#include "host.h"

/* Adding 2^52 + 2^51 leaves the number, modulo 2^32 and rounded to the nearest even, in the lower bits. */
#define SHIFT_INTO_MANTISSA 6755399441055744.0

static uint32_t argument(lua_State *L, int i) {
  double shifted = lua_tonumber(L, i) + SHIFT_INTO_MANTISSA;
  uint64_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  if ((uint32_t)bits == 0 && !lua_isnumber(L, i)) luaL_typerror(L, i, "number");
  return (uint32_t)bits;
}

static int result(lua_State *L, uint32_t bits) {
  lua_pushnumber(L, (lua_Number)(int32_t)bits);
  return 1;
}

static int tobit(lua_State *L) {
  return result(L, argument(L, 1));
}

static int bnot(lua_State *L) {
  return result(L, ~argument(L, 1));
}

static int band(lua_State *L) {
  uint32_t bits = argument(L, 1);
  for (int i = lua_gettop(L); i > 1; i--) bits &= argument(L, i);
  return result(L, bits);
}

static int bor(lua_State *L) {
  uint32_t bits = argument(L, 1);
  for (int i = lua_gettop(L); i > 1; i--) bits |= argument(L, i);
  return result(L, bits);
}

static int bxor(lua_State *L) {
  uint32_t bits = argument(L, 1);
  for (int i = lua_gettop(L); i > 1; i--) bits ^= argument(L, i);
  return result(L, bits);
}

static int lshift(lua_State *L) {
  uint32_t bits = argument(L, 1);
  return result(L, bits << (argument(L, 2) & 31));
}

static int rshift(lua_State *L) {
  uint32_t bits = argument(L, 1);
  return result(L, bits >> (argument(L, 2) & 31));
}

static int arshift(lua_State *L) {
  int32_t bits = (int32_t)argument(L, 1);
  return result(L, (uint32_t)(bits >> (argument(L, 2) & 31)));
}

static uint32_t rotated(uint32_t bits, uint32_t left) {
  return bits << (left & 31) | bits >> (-left & 31);
}

static int rol(lua_State *L) {
  uint32_t bits = argument(L, 1);
  return result(L, rotated(bits, argument(L, 2)));
}

static int ror(lua_State *L) {
  uint32_t bits = argument(L, 1);
  return result(L, rotated(bits, -argument(L, 2)));
}

static int bswap(lua_State *L) {
  return result(L, __builtin_bswap32(argument(L, 1)));
}

static int tohex(lua_State *L) {
  uint32_t bits = argument(L, 1);
  int32_t wanted = lua_isnone(L, 2) ? 8 : (int32_t)argument(L, 2);
  const char *digits = wanted < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  uint32_t count = wanted < 0 ? -(uint32_t)wanted : (uint32_t)wanted;
  char text[8];
  if (count > 8) count = 8;
  for (uint32_t i = count; i-- > 0; bits >>= 4) text[i] = digits[bits & 15];
  lua_pushlstring(L, text, count);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {
  { "tobit", tobit },   { "bnot", bnot },     { "band", band },       { "bor", bor },
  { "bxor", bxor },     { "lshift", lshift }, { "rshift", rshift },   { "arshift", arshift },
  { "rol", rol },       { "ror", ror },       { "bswap", bswap },     { "tohex", tohex },
  { NULL, NULL },
};

int luaopen_bit(lua_State *L) {
  luaL_register(L, "bit", FUNCTIONS);
  return 1;
}
