/* documents.h: what the server says about itself and its models, as JSON. */
#ifndef GPU_DOCUMENTS_H
#define GPU_DOCUMENTS_H

#include "engine.h"

/* Each is made anew, to be freed by free(); NULL: memory is short. */
char *document_live(void);
char *document_ready(bool ready);
char *document_server(void);
char *document_model(const struct model_view *model);
char *document_model_ready(const struct model_view *model, bool ready);
char *document_config(const struct engine *engine, const struct model_view *model);
/* Of one model, or, with NULL, of all that are ready. */
char *document_statistics(const struct engine *engine, const struct model_view *model);
/* The models of the engine, and those in the folder that nobody has asked for; or those that are ready only. */
char *document_index(const struct engine *engine, const char *folder, bool ready_only);

#endif
