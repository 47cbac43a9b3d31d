/* Leaves out the messages of the libraries, for which there is no terminal. */
#include <stdio.h>

#undef fprintf
#define fprintf(...) 0
