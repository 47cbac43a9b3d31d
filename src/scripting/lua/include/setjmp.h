/*
** setjmp and longjmp on the exceptions of WebAssembly. The compiler turns the calls into the three functions of
** setjmp.c.
*/
#ifndef setjmp_h
#define setjmp_h

typedef struct {
  void *invocation;
  unsigned label;
  struct {
    void *env;
    int value;
  } thrown;
} jmp_buf[1];

int setjmp(jmp_buf env) __attribute__((returns_twice));
void longjmp(jmp_buf env, int value) __attribute__((noreturn));

#endif
