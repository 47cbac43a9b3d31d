/*
** The buffer of the library `cjson`, in place of its own: the memory counts against the limit of Lua's memory, and an
** error of Lua leaves no buffer behind.
*/
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "strbuf.h"

/* The buffer of the running decode. Decoding does not nest. */
static strbuf_t decoding;
/* The buffer of an encoder that has become large; it stays for the next encode unless it is trimmed. */
static strbuf_t *large;
#define LARGE_BYTES (64 * 1024)

static void resize(strbuf_t *s, int64_t size) {
  char *bytes = size > INT32_MAX ? NULL : host_realloc(s->buf, (size_t)s->size, (size_t)size);
  if (bytes == NULL) host_no_memory(host_thread);
  s->buf = bytes;
  s->size = (int)size;
  if (size > LARGE_BYTES) large = s;
}

void host_trim_json(void) {
  if (large != NULL) strbuf_free(large);
}

void strbuf_init(strbuf_t *s, int length) {
  memset(s, 0, sizeof *s);
  resize(s, length > 0 ? (int64_t)length + 1 : STRBUF_DEFAULT_SIZE + 1);
}

strbuf_t *strbuf_new(int length) {
  strbuf_free(&decoding);
  strbuf_init(&decoding, length);
  return &decoding;
}

void strbuf_free(strbuf_t *s) {
  if (s->buf != NULL) host_realloc(s->buf, (size_t)s->size, 0);
  s->buf = NULL;
  s->size = 0;
  if (large == s) large = NULL;
}

void strbuf_resize(strbuf_t *s, int length) {
  if (length < 0) host_no_memory(host_thread);
  int64_t needed = (int64_t)length + 1, size = s->size > 0 ? s->size : STRBUF_DEFAULT_SIZE + 1;
  while (size < needed) size *= 2;
  resize(s, size);
}

void strbuf_append_string(strbuf_t *s, const char *text) {
  strbuf_append_mem(s, text, (int)strlen(text));
}
