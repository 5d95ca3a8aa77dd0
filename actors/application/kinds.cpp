#include "actors/application/kinds.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/approval/approval_model.hpp"
#include "actors/audit/refusal_model.hpp"
#include "actors/audit/sink_model.hpp"
#include "actors/cluster/cluster_model.hpp"
#include "actors/document/document_model.hpp"
#include "actors/erasure/erasure_performer.hpp"
#include "actors/identity/api_key_model.hpp"
#include "actors/identity/linked_identity_model.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "actors/memory/memory_model.hpp"
#include "actors/message/message_model.hpp"
#include "actors/name/name_model.hpp"
#include "actors/project/project_model.hpp"
#include "actors/secret/payload_keys.hpp"
#include "actors/secret/secret_model.hpp"
#include "actors/settings/settings_model.hpp"
#include "actors/task/board_model.hpp"
#include "storage/upgrade.hpp"

#include <utility>

namespace troupe::actors {

runtime::kind_registry entity_kinds(kind_performers perform) {
    runtime::kind_registry out;
    const auto add = [&](runtime::entity_kind kind) { out.emplace(kind.name, std::move(kind)); };
    add(runtime::make_kind<name_model>());
    add(runtime::make_kind<agent_model>());
    add(runtime::make_kind<task_model>(std::move(perform.task)));
    add(runtime::make_kind<board_model>());
    add(runtime::make_kind<goal_model>(std::move(perform.goal)));
    add(runtime::make_kind<installation_model>(std::move(perform.installation)));
    add(runtime::make_kind<mcp_usage_model>());
    add(runtime::make_kind<message_model>());
    add(runtime::make_kind<chat_model>(std::move(perform.chat)));
    add(runtime::make_kind<inbox_model>(std::move(perform.inbox)));
    add(runtime::make_kind<memory_model>());
    add(runtime::make_kind<document_model>());
    add(runtime::make_kind<project_model>());
    add(runtime::make_kind<approval_model>());
    add(runtime::make_kind<run_model>(std::move(perform.run)));
    add(runtime::make_kind<secret_model>());
    add(runtime::make_kind<keyring_model>(std::move(perform.keyring)));
    add(runtime::make_kind<erasure_model>(std::move(perform.erasure)));
    add(runtime::make_kind<refusal_model>());
    add(runtime::make_kind<sink_model>());
    add(runtime::make_kind<cluster_model>());
    add(runtime::make_kind<user_model>());
    add(runtime::make_kind<session_model>());
    add(runtime::make_kind<api_key_model>());
    add(runtime::make_kind<linked_identity_model>());
    add(runtime::make_kind<organization_model>());
    add(runtime::make_kind<compliance_model>(std::move(perform.compliance)));
    add(runtime::make_kind<settings_model>());
    return out;
}

expected<void> prepare_contents(const runtime::services& s, const runtime::kind_registry& kinds) {
    auto done = storage::upgrade(*s.store);
    done = done ? seal_older_views(*s.store, kinds) : done;
    return done ? finish_removals(s, kinds) : done;
}

} // namespace troupe::actors
