/*
** The world of a script: the libraries, without files, processes and the debugger, and tables that no script can
** change, so that one script cannot disturb another.
*/
#include <math.h>
#include <string.h>

#include "lauxlib.h"
#include "lualib.h"
#include "host.h"

/* Seconds of processor time. */
HOST_IMPORT(clock) double host_clock(void);

static int os_clock(lua_State *L) {
  lua_pushnumber(L, host_clock());
  return 1;
}

/*
** Random numbers as in Redis, the same on all machines: the generator of lrand48, which is defined by POSIX. It starts
** from the same state in every process and is shared by all scripts.
*/
#define RANDOM_BITS 31
#define RANDOM_MAX 0x7fffffff
static const uint64_t RANDOM_FACTOR = 0x5deece66d, RANDOM_STEP = 0xb, RANDOM_MASK = (1ULL << 48) - 1;
static const uint64_t RANDOM_LOW = 0x330e;
static uint64_t random_state = 0x1234abcd330e;

static uint32_t next_random(void) {
  random_state = (random_state * RANDOM_FACTOR + RANDOM_STEP) & RANDOM_MASK;
  return (uint32_t)(random_state >> (48 - RANDOM_BITS));
}

static int math_random(lua_State *L) {
  lua_Number r = (lua_Number)(next_random() % (RANDOM_MAX)) / (lua_Number)(RANDOM_MAX);
  switch (lua_gettop(L)) {
    case 0:
      lua_pushnumber(L, r);
      return 1;
    case 1: {
      int upper = luaL_checkint(L, 1);
      luaL_argcheck(L, 1 <= upper, 1, "interval is empty");
      lua_pushnumber(L, floor(r * upper) + 1);
      return 1;
    }
    case 2: {
      int lower = luaL_checkint(L, 1), upper = luaL_checkint(L, 2);
      luaL_argcheck(L, lower <= upper, 2, "interval is empty");
      lua_pushnumber(L, floor(r * (int)((unsigned)upper - (unsigned)lower + 1)) + lower);
      return 1;
    }
    default:
      return luaL_error(L, "wrong number of arguments");
  }
}

static int math_randomseed(lua_State *L) {
  random_state = (uint64_t)(uint32_t)luaL_checkint(L, 1) << 16 | RANDOM_LOW;
  return 0;
}

/* The global table has no missing fields. */
static int missing_global(lua_State *L) {
  if (lua_gettop(L) != 2) luaL_error(L, "Wrong number of arguments to luaProtectedTableError");
  if (!lua_isstring(L, 2)) luaL_error(L, "Second argument to luaProtectedTableError must be a string or number");
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'", lua_tostring(L, 2));
}

/* Makes the table on top of the stack, and all that can be reached from it, read-only. */
static void seal(lua_State *L) {
  if (lua_isreadonly(L, -1)) return;
  lua_setreadonly(L, -1, 1);
  lua_checkstack(L, 3);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_istable(L, -1)) seal(L);
  }
  if (lua_getmetatable(L, -1)) {
    seal(L);
    lua_pop(L, 1);
  }
}

static void open_library(lua_State *L, lua_CFunction library, const char *name) {
  lua_pushcfunction(L, library);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  if (*name != '\0') lua_setglobal(L, name);
  lua_settop(L, 0);
}

/* Globals with which a script can reach the environments of others. */
static const char *const DEPRECATED[] = { "newproxy", "setfenv", "getfenv" };

static void set_functions(lua_State *L, const char *table, const luaL_Reg *functions) {
  luaL_register(L, table, functions);
  lua_settop(L, 0);
}

/* Gives the table on top of the stack an error for missing fields. */
static void fail_for_missing(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, missing_global);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

/*
** The worlds of functions: an empty global table, whose metatable leads to the usual globals while a function runs, and
** to those for registering functions while a library loads.
*/
#define WORLD_OF_FUNCTIONS "functions"
#define WORLD_OF_LIBRARIES "libraries"

static void open_worlds(lua_State *L) {
  lua_newtable(L);
  host_push_library_api(L);
  fail_for_missing(L);
  lua_setfield(L, -2, "redis");
  lua_getfield(L, -1, "redis");
  lua_setfield(L, -2, "server");
  fail_for_missing(L);
  seal(L);
  lua_setfield(L, LUA_REGISTRYINDEX, WORLD_OF_LIBRARIES);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  lua_setfield(L, LUA_REGISTRYINDEX, WORLD_OF_FUNCTIONS);
  lua_newtable(L);
  lua_newtable(L);
  lua_setmetatable(L, -2);
  lua_setreadonly(L, -1, 1);
  lua_replace(L, LUA_GLOBALSINDEX);
  host_set_loading(L, 0);
}

void host_set_loading(lua_State *L, int loading) {
  lua_getmetatable(L, LUA_GLOBALSINDEX);
  lua_setreadonly(L, -1, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, loading ? WORLD_OF_LIBRARIES : WORLD_OF_FUNCTIONS);
  lua_setfield(L, -2, "__index");
  lua_setreadonly(L, -1, 1);
  lua_pop(L, 1);
}

void host_open(lua_State *L, int functions, int deprecated) {
  static const luaL_Reg os[] = { { "clock", os_clock }, { NULL, NULL } };
  static const luaL_Reg math[] = { { "random", math_random }, { "randomseed", math_randomseed }, { NULL, NULL } };
  static const luaL_Reg globals[] = { { "pcall", host_pcall }, { NULL, NULL } };
  open_library(L, luaopen_base, "");
  open_library(L, luaopen_table, LUA_TABLIBNAME);
  open_library(L, luaopen_string, LUA_STRLIBNAME);
  open_library(L, luaopen_math, LUA_MATHLIBNAME);
  open_library(L, luaopen_cjson, "cjson");
  open_library(L, luaopen_struct, "struct");
  open_library(L, luaopen_cmsgpack, "cmsgpack");
  open_library(L, luaopen_bit, "bit");
  set_functions(L, LUA_OSLIBNAME, os);
  set_functions(L, LUA_MATHLIBNAME, math);
  set_functions(L, "_G", globals);
  if (!functions) {
    lua_pushcfunction(L, host_error_handler);
    lua_setglobal(L, "__redis__err__handler");
  }
  for (size_t i = 0; !deprecated && i < sizeof DEPRECATED / sizeof DEPRECATED[0]; i++) {
    lua_pushnil(L);
    lua_setglobal(L, DEPRECATED[i]);
  }
  host_open_api(L, functions);
  /* The loaded libraries would keep a second path to the tables. */
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getglobal(L, "tostring");
  lua_setfield(L, LUA_REGISTRYINDEX, "tostring");
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  fail_for_missing(L);
  seal(L);
  /* Strings are the only basic type with a metatable. */
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) seal(L);
  lua_settop(L, 0);
  if (functions) open_worlds(L);
}
