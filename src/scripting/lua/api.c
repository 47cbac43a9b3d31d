/*
** The table `redis`, which is also `server`: what a script calls of the server.
*/
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lauxlib.h"
#include "host.h"

/* Runs the command in `request`. The reply is in the input buffer afterwards. */
HOST_IMPORT(call) void host_call(int argc, int raw_length);
/* Whether the user may run the command: 1 or 0; -1 for an unknown command, -2 for a wrong number of arguments. */
HOST_IMPORT(acl_check) int host_acl_check(int argc);
/* The shortest digits of a number that is not an integer. Returns their number. */
HOST_IMPORT(digits) int host_digits(double number, char *into);
HOST_IMPORT(log) void host_log(int level, const char *text, size_t length);
HOST_IMPORT(set_repl) void host_set_repl(int flags);
HOST_IMPORT(set_resp) void host_set_resp(int version);
HOST_IMPORT(sha1) void host_sha1(const char *text, size_t length, char *hex);

#define SHA1_HEX_BYTES 40
#define DIGITS_MAX 64
/* A function of Lua gets fewer arguments than this. */
#define ARGUMENTS_MAX 8192

extern int host_resp, host_loading;

/* The request of the running call, as RESP, and the places of its arguments in memory. */
static HostBuffer request;
static struct Places {
  char *start[ARGUMENTS_MAX];
  char *end[ARGUMENTS_MAX];
} places;

void host_trim_request(void) {
  host_trim(&request);
}

HOST_EXPORT(places) struct Places *places_address(void) {
  return &places;
}

HOST_EXPORT(request) HostBuffer *request_address(void) {
  return &request;
}

/*
** The text is "-CODE message" or a message, which gets the code ERR. It ends at the first zero byte, and line ends
** around the message are left out, as in Redis.
*/
void host_push_error(lua_State *L, const char *text, size_t length) {
  const char *code = "ERR", *end = memchr(text, '\0', length);
  size_t code_length = 3;
  if (end != NULL) length = (size_t)(end - text);
  if (length > 0 && *text == '-') {
    const char *space = memchr(text, ' ', length);
    text++;
    length--;
    if (space != NULL) {
      code = text;
      code_length = (size_t)(space - text);
      text = space + 1;
      length -= code_length + 1;
    }
  }
  while (length > 0 && (*text == '\r' || *text == '\n')) text++, length--;
  while (length > 0 && (text[length - 1] == '\r' || text[length - 1] == '\n')) length--;
  luaL_checkstack(L, 5, "error");
  lua_createtable(L, 0, 2);
  lua_pushlstring(L, code, code_length);
  lua_pushliteral(L, " ");
  lua_pushlstring(L, text, length);
  lua_concat(L, 3);
  lua_setfield(L, -2, "err");
}

/* Valkey names its functions server.call() where Redis names redis.call(). */
static void push_message(lua_State *L, const char *message) {
  if (!host_valkey) {
    host_push_error(L, message, strlen(message));
    return;
  }
  const char *named = luaL_gsub(L, message, "redis.", "server.");
  host_push_error(L, named, strlen(named));
  lua_remove(L, -2);
}

static int fail(lua_State *L, const char *message) {
  push_message(L, message);
  return lua_error(L);
}

/* Calls of commands */

static char *put_decimal(char *at, uint64_t number) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

/* The text of a number as an argument: an integer without an exponent, or the shortest digits. */
static size_t number_text(lua_Number number, char *into) {
  const double integers = 4611686018427387904.0;
  if (number != number) return (size_t)sprintf(into, "%g", number);
  int64_t integer = number >= -integers && number <= integers ? (int64_t)number : 0;
  if ((lua_Number)integer != number) return (size_t)host_digits(number, into);
  char *at = into;
  if (integer < 0) *at++ = '-';
  return (size_t)(put_decimal(at, integer < 0 ? -(uint64_t)integer : (uint64_t)integer) - into);
}

/*
** Writes the arguments of the running function as a request, and pops them. Returns their number; 0 if they are not
** a request, with the error on top of the stack.
*/
static int build_request(lua_State *L) {
  int argc = lua_gettop(L);
  if (argc == 0) {
    push_message(L, host_valkey ? "Please specify at least one argument for this call"
                                : "Please specify at least one argument for this redis lib call");
    return 0;
  }
  request.length = 0;
  if (!host_room(&request, 16)) host_no_memory(L);
  request.bytes[0] = '*';
  request.length = (size_t)(put_decimal(request.bytes + 1, (uint64_t)argc) - request.bytes);
  request.bytes[request.length++] = '\r';
  request.bytes[request.length++] = '\n';
  for (int i = 0; i < argc; i++) {
    char digits[DIGITS_MAX];
    const char *text;
    size_t length;
    if (lua_type(L, i + 1) == LUA_TNUMBER) {
      length = number_text(lua_tonumber(L, i + 1), digits);
      text = digits;
    } else {
      text = lua_tolstring(L, i + 1, &length);
      if (text == NULL) {
        lua_settop(L, 0);
        push_message(L, host_valkey ? "Command arguments must be strings or integers"
                                    : "Lua redis lib command arguments must be strings or integers");
        return 0;
      }
    }
    if (!host_room(&request, length + 32)) host_no_memory(L);
    char *at = request.bytes + request.length;
    *at++ = '$';
    at = put_decimal(at, length);
    *at++ = '\r';
    *at++ = '\n';
    /* Places are offsets until the buffer grows no more. */
    places.start[i] = (char *)(at - request.bytes);
    memcpy(at, text, length);
    at += length;
    places.end[i] = (char *)(at - request.bytes);
    *at++ = '\r';
    *at++ = '\n';
    request.length = (size_t)(at - request.bytes);
  }
  for (int i = 0; i < argc; i++) {
    places.start[i] = request.bytes + (size_t)places.start[i];
    places.end[i] = request.bytes + (size_t)places.end[i];
  }
  lua_settop(L, 0);
  return argc;
}

/* Units that a command costs beside those for its bytes. */
#define CALL_UNITS 500

static int call_command(lua_State *L, int raise) {
  int argc = build_request(L);
  if (argc == 0) return raise ? lua_error(L) : 1;
  host_spend(L, CALL_UNITS + (request.length >> 4));
  host_call(argc, (int)request.length);
  int failed = host_read_reply(L);
  return failed && raise ? lua_error(L) : 1;
}

static int call(lua_State *L) {
  return call_command(L, 1);
}

static int call_protected(lua_State *L) {
  return call_command(L, 0);
}

/* Errors */

/* Adds source and line of the function that raised the error. */
int host_error_handler(lua_State *L) {
  lua_Debug place;
  lua_settop(L, 1);
  int found = lua_getstack(L, 1, &place) && lua_getinfo(L, "Sl", &place);
  if (found && strcmp(place.what, "C") == 0) found = lua_getstack(L, 2, &place) && lua_getinfo(L, "Sl", &place);
  if (!lua_istable(L, 1)) {
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "ERR ");
    lua_getfield(L, LUA_REGISTRYINDEX, "tostring");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_concat(L, 2);
    lua_setfield(L, -2, "err");
    lua_replace(L, 1);
  }
  if (found) {
    lua_pushstring(L, place.source);
    lua_setfield(L, 1, "source");
    lua_pushinteger(L, place.currentline);
    lua_setfield(L, 1, "line");
  }
  return 1;
}

/* The global `pcall`: like Lua's, but an error of the server's API is returned as its text. */
int host_pcall(lua_State *L) {
  int argc = lua_gettop(L);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  if (lua_pcall(L, argc - 1, LUA_MULTRET, 0) != 0) {
    lua_remove(L, 1);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "err");
      if (lua_isstring(L, -1)) lua_replace(L, -2);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1);
  }
  return lua_gettop(L);
}

static int error_reply(lua_State *L) {
  if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
    push_message(L, "wrong number or type of arguments");
    return 1;
  }
  const char *text = lua_tostring(L, 1);
  if (*text != '-') {
    lua_pushliteral(L, "-");
    lua_insert(L, 1);
    lua_concat(L, 2);
    text = lua_tostring(L, 1);
  }
  host_push_error(L, text, strlen(text));
  return 1;
}

static int status_reply(lua_State *L) {
  if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
    push_message(L, "wrong number or type of arguments");
    return 1;
  }
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "ok");
  return 1;
}

/* Other functions */

static int sha1hex(lua_State *L) {
  if (lua_gettop(L) != 1) return fail(L, "wrong number of arguments");
  size_t length = 0;
  char hex[SHA1_HEX_BYTES];
  const char *text = lua_tolstring(L, 1, &length);
  if (text == NULL) length = 0;
  host_note(length << 3);
  host_sha1(text, length, hex);
  lua_pushlstring(L, hex, SHA1_HEX_BYTES);
  return 1;
}

static int set_resp(lua_State *L) {
  if (lua_gettop(L) != 1) return fail(L, "redis.setresp() requires one argument.");
  int version = (int)lua_tonumber(L, 1);
  if (version != 2 && version != 3) return fail(L, "RESP version must be 2 or 3.");
  host_resp = version;
  host_set_resp(version);
  return 0;
}

enum { REPL_NONE = 0, REPL_AOF = 1, REPL_REPLICA = 2, REPL_ALL = 3 };

static int set_repl(lua_State *L) {
  if (lua_gettop(L) != 1) return fail(L, "redis.set_repl() requires one argument.");
  int flags = (int)lua_tonumber(L, 1);
  if ((flags & ~REPL_ALL) != 0) {
    return fail(L, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  host_set_repl(flags);
  return 0;
}

static int acl_check_cmd(lua_State *L) {
  int argc = build_request(L);
  if (argc == 0) return lua_error(L);
  int allowed = host_acl_check(argc);
  if (allowed == -1) return fail(L, "Invalid command passed to redis.acl_check_cmd()");
  if (allowed == -2) return fail(L, "Wrong number of args for redis.acl_check_cmd()");
  lua_pushboolean(L, allowed);
  return 1;
}

enum { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };

static int write_log(lua_State *L) {
  int argc = lua_gettop(L);
  if (argc < 2) return fail(L, "redis.log() requires two arguments or more.");
  if (!lua_isnumber(L, 1)) return fail(L, "First argument must be a number (log level).");
  int level = (int)lua_tonumber(L, 1);
  if (level < LOG_DEBUG || level > LOG_WARNING) return fail(L, "Invalid log level.");
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 2; i <= argc; i++) {
    size_t length;
    const char *text = lua_tolstring(L, i, &length);
    if (text == NULL) continue;
    if (i != 2) luaL_addchar(&b, ' ');
    luaL_addlstring(&b, text, length);
  }
  luaL_pushresult(&b);
  size_t length;
  const char *text = lua_tolstring(L, -1, &length);
  host_log(level, text, length);
  return 0;
}

static int breakpoint(lua_State *L) {
  lua_pushboolean(L, 0);
  return 1;
}

static int debug(lua_State *L) {
  (void)L;
  return 0;
}

static int replicate_commands(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

/* Registration of functions */

/* Adds a function to the library that loads. Returns 0, or what is wrong: 1 for its name, 2 if it exists. */
HOST_IMPORT(add_function)
int host_add_function(const char *name, size_t length, const char *description, size_t description_length, int flags,
                      int reference);

/* The names of the flags that a function may have; the bits are those of shebang.ts. */
static const char *const FLAGS[] = { "no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys" };

/* What a call of register_function says. The values stay on the stack. */
typedef struct Registration {
  const char *name;
  size_t name_length;
  const char *description;
  size_t description_length;
  int flags;
  int callback;
} Registration;

static int same_word(const char *a, const char *b) {
  while (*a != '\0' && tolower((unsigned char)*a) == tolower((unsigned char)*b)) a++, b++;
  return *a == *b;
}

/* The bits of the flags in the table on top of the stack; -1 for an unknown one. */
static int read_flags(lua_State *L) {
  int flags = 0;
  for (int i = 1;; i++) {
    lua_pushinteger(L, i);
    lua_gettable(L, -2);
    if (lua_isnil(L, -1)) break;
    const char *name = lua_isstring(L, -1) ? lua_tostring(L, -1) : "";
    int bit = 0;
    while (bit < 5 && !same_word(FLAGS[bit], name)) bit++;
    lua_pop(L, 1);
    if (bit == 5) return -1;
    flags |= 1 << bit;
  }
  lua_pop(L, 1);
  return flags;
}

static void read_named(lua_State *L, Registration *r) {
  if (!lua_istable(L, 1)) {
    fail(L, "calling redis.register_function with a single argument is only applicable to Lua table (representing named "
            "arguments).");
  }
  for (lua_pushnil(L); lua_next(L, 1);) {
    luaL_checkstack(L, 20, "register_function");
    /* A converted copy of the key, so that the iteration keeps the key itself. */
    lua_pushvalue(L, -2);
    if (!lua_isstring(L, -1)) fail(L, "named argument key given to redis.register_function is not a string");
    const char *key = lua_tostring(L, -1);
    lua_insert(L, -3);
    lua_insert(L, -2);
    /* Stack: table, ..., copy, value, key. */
    int value = lua_gettop(L) - 1;
    if (same_word(key, "function_name")) {
      if (!lua_isstring(L, value)) fail(L, "function_name argument given to redis.register_function must be a string");
      r->name = lua_tolstring(L, value, &r->name_length);
    } else if (same_word(key, "description")) {
      if (!lua_isstring(L, value)) fail(L, "description argument given to redis.register_function must be a string");
      r->description = lua_tolstring(L, value, &r->description_length);
    } else if (same_word(key, "callback")) {
      if (!lua_isfunction(L, value)) fail(L, "callback argument given to redis.register_function must be a function");
      r->callback = value;
    } else if (same_word(key, "flags")) {
      if (!lua_istable(L, value)) {
        fail(L, "flags argument to redis.register_function must be a table representing function flags");
      }
      lua_pushvalue(L, value);
      r->flags = read_flags(L);
      if (r->flags < 0) fail(L, "unknown flag given");
      lua_pop(L, 1);
    } else {
      fail(L, "unknown argument given to redis.register_function");
    }
  }
  if (r->name == NULL) fail(L, "redis.register_function must get a function name argument");
  if (r->callback == 0) fail(L, "redis.register_function must get a callback argument");
}

static int register_function(lua_State *L) {
  Registration r = { NULL, 0, NULL, 0, 0, 0 };
  int argc = lua_gettop(L);
  if (!host_loading) return fail(L, "redis.register_function can only be called on FUNCTION LOAD command");
  if (argc < 1 || argc > 2) return fail(L, "wrong number of arguments to redis.register_function");
  if (argc == 1) {
    read_named(L, &r);
  } else {
    if (!lua_isstring(L, 1)) return fail(L, "first argument to redis.register_function must be a string");
    if (!lua_isfunction(L, 2)) return fail(L, "second argument to redis.register_function must be a function");
    r.name = lua_tolstring(L, 1, &r.name_length);
    r.callback = 2;
  }
  lua_pushvalue(L, r.callback);
  int reference = luaL_ref(L, LUA_REGISTRYINDEX);
  int wrong = host_add_function(r.name, r.name_length, r.description, r.description_length, r.flags, reference);
  if (wrong == 0) return 0;
  luaL_unref(L, LUA_REGISTRYINDEX, reference);
  return fail(L, wrong == 2 ? "Function already exists in the library"
                            : "Library names can only contain letters, numbers, or underscores(_) and must be at least "
                              "one character long");
}

static const luaL_Reg FUNCTIONS[] = {
  { "call", call },
  { "pcall", call_protected },
  { "log", write_log },
  { "setresp", set_resp },
  { "sha1hex", sha1hex },
  { "error_reply", error_reply },
  { "status_reply", status_reply },
  { "set_repl", set_repl },
  { "acl_check_cmd", acl_check_cmd },
  { NULL, NULL },
};

static const luaL_Reg SCRIPT_FUNCTIONS[] = {
  { "breakpoint", breakpoint },
  { "debug", debug },
  { "replicate_commands", replicate_commands },
  { NULL, NULL },
};

static const struct {
  const char *name;
  int value;
} CONSTANTS[] = {
  { "LOG_DEBUG", LOG_DEBUG },   { "LOG_VERBOSE", LOG_VERBOSE }, { "LOG_NOTICE", LOG_NOTICE },
  { "LOG_WARNING", LOG_WARNING }, { "REPL_NONE", REPL_NONE },   { "REPL_AOF", REPL_AOF },
  { "REPL_SLAVE", REPL_REPLICA }, { "REPL_REPLICA", REPL_REPLICA }, { "REPL_ALL", REPL_ALL },
};

static void set_version(lua_State *L, const char *server, const char *version, int number) {
  lua_pushfstring(L, "%s_VERSION", server);
  lua_pushstring(L, version);
  lua_rawset(L, -3);
  lua_pushfstring(L, "%s_VERSION_NUM", server);
  lua_pushinteger(L, number);
  lua_rawset(L, -3);
}

static void set_constants(lua_State *L, int logging_only) {
  for (size_t i = 0; i < sizeof CONSTANTS / sizeof CONSTANTS[0]; i++) {
    if (logging_only && strncmp(CONSTANTS[i].name, "REPL_", 5) == 0) continue;
    lua_pushinteger(L, CONSTANTS[i].value);
    lua_setfield(L, -2, CONSTANTS[i].name);
  }
  set_version(L, "REDIS", host_valkey ? "7.2.4" : "8.6.3", host_valkey ? 0x00070204 : 0x00080603);
  if (!host_valkey) return;
  set_version(L, "VALKEY", "9.1.2", 0x00090102);
  lua_pushliteral(L, "valkey");
  lua_setfield(L, -2, "SERVER_NAME");
}

/* The table `redis` of a library that loads. */
void host_push_library_api(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, register_function);
  lua_setfield(L, -2, "register_function");
  lua_pushcfunction(L, write_log);
  lua_setfield(L, -2, "log");
  set_constants(L, 1);
}

void host_open_api(lua_State *L, int functions) {
  lua_newtable(L);
  luaL_register(L, NULL, FUNCTIONS);
  if (!functions) luaL_register(L, NULL, SCRIPT_FUNCTIONS);
  set_constants(L, 0);
  lua_pushvalue(L, -1);
  lua_setglobal(L, "redis");
  lua_setglobal(L, "server");
}
