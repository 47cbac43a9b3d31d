/*
** The module's face for the server: makes the state, compiles and runs chunks, and keeps a script within its limits of
** memory and time.
**
** Every export that may raise an error of Lua runs protected. A trap means that the state is lost: the server then
** makes a new instance of the module.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "ldo.h"
#include "lgc.h"
#include "lstate.h"
#include "host.h"

/* Instructions between two looks at the clock, as long as nothing else costs time. */
#define INSTRUCTIONS_PER_LOOK 10000
#define UNITS_PER_LOOK 100000
/* Units that an allocation costs beside those for its bytes. */
#define ALLOCATION_UNITS 20

/* Whether the script must end, and why. Called often; the server looks at its clock and serves its clients. */
enum { GO_ON, KILLED, UNREACHABLE };
HOST_IMPORT(tick) int host_tick(void);

int host_budget = UNITS_PER_LOOK;
lua_State *host_thread;
HostBuffer host_io;

static lua_State *state;
static size_t used, limit;
static int killed;

/* What the server reads after an export has returned; see module.ts. */
/* A library registers its functions. */
int host_loading;

static struct Outcome {
  int status;
  int length;
  int source_length;
  int line_length;
  int counted;
} outcome;

enum { OK, FAILED, BROKEN };

HOST_EXPORT(outcome) struct Outcome *outcome_address(void) {
  return &outcome;
}

/* The buffer for input and output: its address, its size and the length of the output. */
HOST_EXPORT(io) HostBuffer *io_address(void) {
  return &host_io;
}

/* Memory */

/*
** Small blocks come from lists of free blocks, one for each 16 bytes of size. Whoever frees a block says its size, so
** blocks need no headers. They are never given back: a state that has become large is thrown away as a whole.
*/
#define SMALL_BYTES_MAX 512
#define STEP_BYTES 16
#define CHUNK_BYTES (64 * 1024)

typedef struct FreeBlock {
  struct FreeBlock *next;
} FreeBlock;

static FreeBlock *free_blocks[SMALL_BYTES_MAX / STEP_BYTES + 1];
/* The unused rest of the latest chunk. */
static char *chunk_at, *chunk_end;

static inline size_t steps_of(size_t size) {
  return (size + STEP_BYTES - 1) / STEP_BYTES;
}

static void *take_small(size_t size) {
  size_t steps = steps_of(size), bytes = steps * STEP_BYTES;
  FreeBlock *block = free_blocks[steps];
  if (block != NULL) {
    free_blocks[steps] = block->next;
    return block;
  }
  if ((size_t)(chunk_end - chunk_at) < bytes) {
    char *chunk = malloc(CHUNK_BYTES);
    if (chunk == NULL) return NULL;
    chunk_at = chunk;
    chunk_end = chunk + CHUNK_BYTES;
  }
  void *fresh = chunk_at;
  chunk_at += bytes;
  return fresh;
}

static void give_back(void *block, size_t size) {
  if (size > SMALL_BYTES_MAX) {
    free(block);
  } else if (size > 0) {
    FreeBlock *first = block;
    first->next = free_blocks[steps_of(size)];
    free_blocks[steps_of(size)] = first;
  }
}

void *host_realloc(void *block, size_t osize, size_t nsize) {
  if (nsize == 0) {
    give_back(block, osize);
    used -= osize;
    return NULL;
  }
  if (nsize > osize && nsize - osize > limit - (used < limit ? used : limit)) return NULL;
  void *moved = block;
  if (osize > SMALL_BYTES_MAX && nsize > SMALL_BYTES_MAX) {
    moved = realloc(block, nsize);
    if (moved == NULL) return NULL;
  } else if (osize == 0 || nsize > SMALL_BYTES_MAX || steps_of(osize) != steps_of(nsize)) {
    moved = nsize > SMALL_BYTES_MAX ? malloc(nsize) : take_small(nsize);
    if (moved == NULL) return NULL;
    if (osize > 0) memcpy(moved, block, osize < nsize ? osize : nsize);
    give_back(block, osize);
  }
  used += nsize - osize;
  return moved;
}

size_t host_integer_text(double number, char *into) {
  int64_t integer = number > -1e14 && number < 1e14 ? (int64_t)number : 0;
  uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
  char digits[16];
  int count = 0;
  /* Zero is left to others, because it may have a sign. */
  if ((double)integer != number || integer == 0) return 0;
  for (; rest > 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
  char *at = into;
  if (integer < 0) *at++ = '-';
  while (count > 0) *at++ = digits[--count];
  *at = '\0';
  return (size_t)(at - into);
}

/* Hashes all bytes, eight at a time. */
unsigned int host_hash(const char *bytes, size_t length) {
  const uint64_t factor = 0x9e3779b97f4a7c15ULL;
  const char *last = bytes + length - sizeof(uint64_t);
  uint64_t hash = length * factor, word;
  for (; bytes < last; bytes += sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = (hash ^ word) * factor;
    hash ^= hash >> 32;
  }
  memcpy(&word, last, sizeof word);
  hash = (hash ^ word) * factor;
  return (unsigned int)(hash ^ hash >> 32);
}

/* Such an integer, divided by such a power of ten, is rounded once, as by strtod. */
#define EXACT_MAX 9007199254740992ULL
#define DIGITS_MAX 18

double host_text_number(const char *text, char **end) {
  static const double tens[DIGITS_MAX + 1] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                               1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18 };
  const char *at = text + (*text == '-'), *first = at;
  uint64_t digits = 0;
  long scale = 0;
  while (*at >= '0' && *at <= '9' && at - first <= DIGITS_MAX) digits = digits * 10 + (uint64_t)(*at++ - '0');
  int whole = at > first;
  if (whole && *at == '.') {
    const char *point = at++;
    while (*at >= '0' && *at <= '9' && at - first <= DIGITS_MAX) digits = digits * 10 + (uint64_t)(*at++ - '0');
    scale = at - point - 1;
  }
  int more = (*at >= '0' && *at <= '9') || *at == 'e' || *at == 'E' || *at == 'x' || *at == 'X';
  if (!whole || more || digits > EXACT_MAX) return strtod(text, end);
  *end = (char *)at;
  double number = (double)digits / tens[scale];
  return *text == '-' ? -number : number;
}

static void *allocate(void *ud, void *block, size_t osize, size_t nsize) {
  (void)ud;
  host_note(ALLOCATION_UNITS + (nsize >> 4));
  return host_realloc(block, osize, nsize);
}

void host_no_memory(lua_State *L) {
  luaD_throw(L, LUA_ERRMEM);
}

int host_room(HostBuffer *b, size_t more) {
  size_t needed = b->length + more, size = b->size < 1024 ? 1024 : b->size;
  if (needed < more) return 0;
  if (needed <= b->size) return 1;
  while (size < needed) {
    if (size > SIZE_MAX / 2) return 0;
    size *= 2;
  }
  char *bytes = host_realloc(b->bytes, b->size, size);
  if (bytes == NULL) return 0;
  b->bytes = bytes;
  b->size = size;
  return 1;
}

#define TRIMMED_BYTES (64 * 1024)

void host_trim(HostBuffer *b) {
  if (b->size <= TRIMMED_BYTES) return;
  host_realloc(b->bytes, b->size, 0);
  b->bytes = NULL;
  b->size = b->length = 0;
}

HOST_EXPORT(used) size_t used_bytes(void) {
  return used;
}

HOST_EXPORT(limit) void set_limit(size_t bytes) {
  limit = bytes;
}

/* Gives the buffer for input room for `size` bytes. Returns 0 if the limit forbids it. */
HOST_EXPORT(reserve) int reserve(size_t size) {
  host_io.length = 0;
  return host_room(&host_io, size);
}

/* Time */

static void hook_everywhere(int count);

void host_due(lua_State *L) {
  host_budget = UNITS_PER_LOOK;
  if (!killed) {
    killed = host_tick();
    if (killed == GO_ON) return;
    /* From now on every instruction fails, so that no pcall of the script goes on. */
    hook_everywhere(1);
  }
  const char *message = host_loading ? "FUNCTION LOAD timeout"
    : killed == KILLED ? "Script killed by user with SCRIPT KILL..."
    : "Script ended, because it ran for long and no client can be served meanwhile on this system";
  host_push_error(L, message, strlen(message));
  /* A handler of xpcall that the error reaches must be interrupted too. */
  L->allowhook = 1;
  lua_error(L);
}

void host_due_soon(void) {
  host_budget = UNITS_PER_LOOK;
  if (host_thread != NULL && host_thread->hookmask != 0) host_thread->hookcount = 1;
}

static void on_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  host_due(L);
}

/* Sets the hook of all threads; those made later inherit it. */
static void hook_everywhere(int count) {
  lua_sethook(state, on_hook, LUA_MASKCOUNT, count);
  for (GCObject *o = G(state)->rootgc; o != NULL; o = o->gch.next) {
    if (o->gch.tt == LUA_TTHREAD) lua_sethook(gco2th(o), on_hook, LUA_MASKCOUNT, count);
  }
}

/* Runs `body` protected. The stack holds the error handler only, before and after. */
static int protectedly(Pfunc body, void *ud) {
  host_thread = state;
  int status = luaD_pcall(state, body, ud, savestack(state, state->top), 0);
  host_thread = state;
  return status;
}

/* Chunks */

typedef struct Chunk {
  const char *name;
  size_t length;
  int reference;
} Chunk;

static void put_outcome(const char *bytes, size_t length, int status) {
  outcome.status = status;
  outcome.length = (int)length;
  host_io.length = 0;
  if (!host_room(&host_io, length)) outcome.length = length = 0;
  if (length > 0) memcpy(host_io.bytes, bytes, length);
}

static void compile_chunk(lua_State *L, void *ud) {
  Chunk *chunk = ud;
  int status = luaL_loadbuffer(L, host_io.bytes, chunk->length, chunk->name);
  if (status == 0) {
    chunk->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  } else {
    size_t length;
    const char *message = lua_tolstring(L, -1, &length);
    put_outcome(message, length, FAILED);
  }
  lua_settop(L, 1);
}

/*
** Compiles the `length` bytes in the input buffer. Returns a reference for `run`; 0 if it fails, with a message as the
** outcome.
*/
HOST_EXPORT(compile) int compile(size_t length, int functions) {
  Chunk chunk = { functions ? "@user_function" : "@user_script", length, 0 };
  static const char message[] = "not enough memory";
  if (protectedly(compile_chunk, &chunk) != 0) {
    lua_settop(state, 1);
    put_outcome(message, sizeof message - 1, FAILED);
    return 0;
  }
  return chunk.reference;
}

HOST_EXPORT(release) void release(int reference) {
  luaL_unref(state, LUA_REGISTRYINDEX, reference);
}

typedef struct Run {
  int reference;
  int keys;
  int arguments;
  int as_globals;
  int version;
} Run;

/* The protocol version that redis.setresp has chosen. */
int host_resp;

/* Makes a table of the next `count` strings of the input buffer. Each has its length before it, in four bytes. */
static const char *push_strings(lua_State *L, const char *at, int count) {
  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    uint32_t length;
    memcpy(&length, at, sizeof length);
    at += sizeof length;
    lua_pushlstring(L, at, length);
    lua_rawseti(L, -2, i);
    at += length;
  }
  return at;
}

static void set_global(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_insert(L, -2);
  lua_rawset(L, LUA_GLOBALSINDEX);
}

static void run_chunk(lua_State *L, void *ud) {
  Run *run = ud;
  lua_checkstack(L, 8);
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->reference);
  const char *at = push_strings(L, host_io.bytes, run->keys);
  if (run->as_globals) {
    lua_setreadonly(L, LUA_GLOBALSINDEX, 0);
    set_global(L, "KEYS");
    push_strings(L, at, run->arguments);
    set_global(L, "ARGV");
    lua_setreadonly(L, LUA_GLOBALSINDEX, 1);
  } else {
    push_strings(L, at, run->arguments);
  }
  lua_call(L, run->as_globals ? 0 : 2, 1);
  L->hookmask = 0;
  host_io.length = 0;
  host_write_reply(L, run->version, host_resp);
  outcome.status = OK;
  outcome.length = (int)host_io.length;
  lua_settop(L, 1);
}

/* The string at `index`, up to a zero byte, added to the output; returns its length, or -1 for another value. */
static int put_text(lua_State *L, int index) {
  const char *text = lua_isstring(L, index) ? lua_tostring(L, index) : NULL;
  size_t length = text == NULL ? 0 : strlen(text);
  if (text == NULL || !host_room(&host_io, length)) return -1;
  memcpy(host_io.bytes + host_io.length, text, length);
  host_io.length += length;
  return (int)length;
}

/* The error on top of the stack as the outcome: its text, the source and the line behind one another. */
static void report_error(lua_State *L, void *ud) {
  (void)ud;
  if (!lua_istable(L, -1)) {
    size_t length;
    lua_pushstring(L, "execution failure");
    const char *text = lua_tolstring(L, lua_isstring(L, -2) ? -2 : -1, &length);
    put_outcome(text, length, BROKEN);
    return;
  }
  int error = lua_gettop(L);
  lua_getfield(L, error, "err");
  lua_getfield(L, error, "source");
  lua_getfield(L, error, "line");
  lua_getfield(L, error, "ignore_error_stats_update");
  host_io.length = 0;
  outcome.status = FAILED;
  outcome.length = put_text(L, error + 1);
  outcome.source_length = put_text(L, error + 2);
  outcome.line_length = put_text(L, error + 3);
  outcome.counted = lua_isboolean(L, error + 4) && lua_toboolean(L, error + 4);
}

/*
** Runs a compiled chunk. The input buffer holds the keys and the arguments, which become global tables or the two
** arguments of the function. `version` is the client's protocol version. The reply is in the output buffer, as far as it
** was not written by `write` before.
*/
HOST_EXPORT(run) int run(int reference, int keys, int arguments, int as_globals, int version) {
  Run run = { reference, keys, arguments, as_globals, version };
  killed = 0;
  host_resp = 2;
  host_budget = UNITS_PER_LOOK;
  host_thread = state;
  lua_sethook(state, on_hook, LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
  /* The error handler stays at the bottom of the stack. */
  int status = luaD_pcall(state, run_chunk, &run, savestack(state, state->top), savestack(state, state->base));
  state->hookmask = 0;
  host_thread = state;
  if (status != 0) {
    lua_setreadonly(state, LUA_GLOBALSINDEX, 1);
    if (protectedly(report_error, NULL) != 0) {
      static const char message[] = "not enough memory";
      put_outcome(message, sizeof message - 1, BROKEN);
    }
    lua_settop(state, 1);
  }
  if (killed) {
    hook_everywhere(INSTRUCTIONS_PER_LOOK);
    state->hookmask = 0;
  }
  return outcome.status;
}

static void collect_all(lua_State *L, void *ud) {
  (void)ud;
  lua_gc(L, LUA_GCCOLLECT, 0);
}

/* Collects garbage and frees large buffers, between two runs. */
HOST_EXPORT(collect) void collect(void) {
  protectedly(collect_all, NULL);
  lua_settop(state, 1);
  host_trim(&host_io);
  host_trim_request();
  host_trim_msgpack();
  host_trim_json();
}

/* Runs the chunk in the input buffer, which registers functions. An error is left as a text on the stack. */
static void load_library(lua_State *L, void *ud) {
  Chunk *chunk = ud;
  if (luaL_loadbuffer(L, host_io.bytes, chunk->length, "@user_function") != 0) {
    lua_pushfstring(L, "Error compiling function: %s", lua_tostring(L, -1));
    return;
  }
  if (lua_pcall(L, 0, 0, 0) == 0) return;
  lua_sethook(L, NULL, 0, 0);
  if (lua_isstring(L, -1)) {
    lua_pushfstring(L, "Error registering functions: ERR %s", lua_tostring(L, -1));
    return;
  }
  if (lua_istable(L, -1)) lua_getfield(L, -1, "err");
  const char *text = lua_isstring(L, -1) ? lua_tostring(L, -1) : "ERR unknown error";
  lua_pushfstring(L, "Error registering functions: %s", text);
}

static void set_loading(lua_State *L, void *ud) {
  host_loading = *(int *)ud;
  host_set_loading(L, host_loading);
}

/* Loads a library from the input buffer. Returns 1; 0 if it fails, with a message as the outcome. */
HOST_EXPORT(load) int load_from_input(size_t length) {
  Chunk chunk = { NULL, length, 0 };
  int on = 1, off = 0;
  killed = 0;
  host_budget = UNITS_PER_LOOK;
  int failed = protectedly(set_loading, &on) != 0;
  lua_sethook(state, on_hook, LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
  failed = failed || protectedly(load_library, &chunk) != 0;
  state->hookmask = 0;
  if (killed) {
    hook_everywhere(INSTRUCTIONS_PER_LOOK);
    state->hookmask = 0;
  }
  if (lua_gettop(state) > 1) {
    size_t size;
    const char *message = lua_tolstring(state, -1, &size);
    put_outcome(message == NULL ? "" : message, message == NULL ? 0 : size, FAILED);
    failed = 1;
  }
  lua_settop(state, 1);
  protectedly(set_loading, &off);
  lua_settop(state, 1);
  return !failed;
}

int host_valkey;

struct World {
  int functions;
  int deprecated;
};

static void open_state(lua_State *L, void *ud) {
  const struct World *world = ud;
  host_open(L, world->functions, world->deprecated);
  lua_pushcfunction(L, host_error_handler);
}

/*
** Makes the state, for scripts or for functions, with the globals that Redis has deprecated if asked for, and with the
** names of Redis or of Valkey. Returns 0 if the memory does not suffice.
*/
HOST_EXPORT(open) int open(int functions, int deprecated, int valkey, size_t bytes) {
  host_valkey = valkey;
  struct World world = { functions, deprecated };
  limit = bytes;
  state = lua_newstate(allocate, NULL);
  if (state == NULL) return 0;
  return protectedly(open_state, &world) == 0;
}

/* The C library has a standard error stream, but the module has no files: this is what the stream calls. */
size_t __stdio_write(FILE *file, const unsigned char *bytes, size_t length) {
  (void)file, (void)bytes;
  return length;
}

off_t __stdio_seek(FILE *file, off_t offset, int from) {
  (void)file, (void)offset, (void)from;
  return -1;
}

int __stdio_close(FILE *file) {
  (void)file;
  return 0;
}

/* Lua calls it for an error outside of a protected call, which the exports above never let happen. */
_Noreturn void host_exit(int status) {
  (void)status;
  __builtin_trap();
}
