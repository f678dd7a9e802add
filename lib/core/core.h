/* All of the core at once, for files that have not yet said what they use. */
#ifndef IPC_CORE_H
#define IPC_CORE_H

#include "base/pool.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/ctl.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/kind.h"
#include "core/op.h"
#include "core/patience.h"
#include "core/ref.h"

#endif
