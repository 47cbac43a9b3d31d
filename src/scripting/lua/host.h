/*
** The boundary between Lua and the server: functions that the server imports into the module, and the budget that
** bounds the time between two looks of the server at its clock and its sockets.
*/
#ifndef host_h
#define host_h

#include <stddef.h>
#include <stdint.h>

#include "lua.h"

#define HOST_IMPORT(name) __attribute__((import_module("host"), import_name(#name)))
#define HOST_EXPORT(name) __attribute__((export_name(#name)))

/* Units of work, of about a nanosecond, until the server looks at its clock. */
extern int host_budget;
/* The server answers as Valkey. */
extern int host_valkey;

/* Asks the server whether the script may go on. Raises an error in `L` if it was killed. */
void host_due(lua_State *L);

/* Like host_due, for code that cannot raise an error: the next instruction of Lua asks. */
void host_due_soon(void);

/* Accounts for `n` units in a loop that may raise an error. */
#define host_spend(L, n) ((void)((host_budget -= (int)(n)) < 0 && (host_due(L), 0)))

/* Accounts for `n` units anywhere. */
#define host_note(n) ((void)((host_budget -= (int)(n)) < 0 && (host_due_soon(), 0)))

/* The thread that runs. Coroutines report when they start and stop. */
extern lua_State *host_thread;

/* A buffer that grows. Its memory counts against the limit of Lua's memory. */
typedef struct HostBuffer {
  char *bytes;
  size_t size;
  size_t length;
} HostBuffer;

/* Makes room for `more` bytes behind the length. Returns 0 if the memory limit forbids it. */
int host_room(HostBuffer *b, size_t more);

/* Frees the memory of a large buffer that is not in use. */
void host_trim(HostBuffer *b);
void host_trim_json(void);
void host_trim_msgpack(void);
void host_trim_request(void);

/* The bytes that go from the server to Lua and back, except the arguments of commands. */
extern HostBuffer host_io;

/* Memory for the libraries, counted and limited, as a lua_Alloc. */
void *host_realloc(void *block, size_t osize, size_t nsize);

/*
** Writes an integer of at most 14 digits as `%.14g` does, but faster, with a zero behind it. Returns its length; 0 if
** the number is another one.
*/
size_t host_integer_text(double number, char *into);

/* `strtod`, but faster for a number of few decimal digits without an exponent. */
double host_text_number(const char *text, char **end);

/* From this length on strings are hashed by `host_hash`; shorter ones as Lua does, so that tables have Redis's order. */
#define HOST_LONG_STRING 32
unsigned int host_hash(const char *bytes, size_t length);

/* Raises "not enough memory". */
void host_no_memory(lua_State *L);

/* Pushes the error that the server's API raises: a table with `err`, a code and a text. */
void host_push_error(lua_State *L, const char *text, size_t length);

/* Opens the libraries and the API, and seals the global table. */
void host_open(lua_State *L, int functions, int deprecated);

/* Chooses the globals of a library that loads, or those of its functions. */
void host_set_loading(lua_State *L, int loading);

/* Functions of the API that need the state of the running script (api.c). */
void host_open_api(lua_State *L, int functions);
void host_push_library_api(lua_State *L);
int host_error_handler(lua_State *L);
int host_pcall(lua_State *L);

/* The value on top of the stack as a reply; it is popped. `resp` is the script's protocol version. */
void host_write_reply(lua_State *L, int version, int resp);

/* The reply in `host_io` as a value on top of the stack. Returns 1 if it is an error. */
int host_read_reply(lua_State *L);

int luaopen_bit(lua_State *L);
int luaopen_struct(lua_State *L);
int luaopen_cmsgpack(lua_State *L);
int luaopen_cjson(lua_State *L);

#endif
