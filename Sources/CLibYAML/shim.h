// libyaml as it is installed: its parser API needs no shim, its types import as they are.
#ifndef MODELSYNC_CLIBYAML_H
#define MODELSYNC_CLIBYAML_H
#include <yaml.h>
#endif
