/*
** What the compiler calls for setjmp and longjmp (-mllvm -wasm-enable-sjlj). A jump is an exception whose value says
** which setjmp is meant.
*/
#include <stdint.h>

struct jump {
  void *invocation;
  uint32_t label;
  struct thrown {
    void *env;
    int value;
  } thrown;
};

void __wasm_setjmp(void *env, uint32_t label, void *invocation) {
  struct jump *jump = env;
  jump->invocation = invocation;
  jump->label = label;
}

uint32_t __wasm_setjmp_test(void *env, void *invocation) {
  struct jump *jump = env;
  return jump->invocation == invocation ? jump->label : 0;
}

#define C_LONGJMP 1

void __wasm_longjmp(void *env, int value) {
  struct jump *jump = env;
  jump->thrown.env = env;
  jump->thrown.value = value == 0 ? 1 : value;
  __builtin_wasm_throw(C_LONGJMP, &jump->thrown);
}
