#include <gloo/stub.h>
