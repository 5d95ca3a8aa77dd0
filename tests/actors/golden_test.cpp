#include "tests/golden.hpp"

#include "actors/agent/agent_model.hpp"
#include "actors/application/kinds.hpp"
#include "actors/approval/approval_model.hpp"
#include "actors/audit/refusal_model.hpp"
#include "actors/audit/sink_model.hpp"
#include "actors/chat/chat_model.hpp"
#include "actors/cluster/cluster_model.hpp"
#include "actors/compliance/compliance_model.hpp"
#include "actors/document/document_model.hpp"
#include "actors/erasure/erasure_model.hpp"
#include "actors/goal/goal_model.hpp"
#include "actors/identity/api_key_model.hpp"
#include "actors/identity/linked_identity_model.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/session_model.hpp"
#include "actors/identity/user_model.hpp"
#include "actors/mcp/installation_model.hpp"
#include "actors/mcp/mcp_usage_model.hpp"
#include "actors/memory/memory_model.hpp"
#include "actors/message/message_model.hpp"
#include "actors/name/name_model.hpp"
#include "actors/notification/inbox_model.hpp"
#include "actors/project/project_model.hpp"
#include "actors/run/run_model.hpp"
#include "actors/secret/keyring_model.hpp"
#include "actors/secret/secret_model.hpp"
#include "actors/settings/settings_model.hpp"
#include "actors/task/board_model.hpp"
#include "actors/task/task_model.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe;
using namespace troupe::actors;
namespace golden = troupe::test::golden;

namespace {

/// Every model of the product; a test finds one that is missing here.
using models =
    boost::mp11::mp_list<user_model, session_model, api_key_model, linked_identity_model, organization_model,
                         name_model, agent_model, task_model, project_model, approval_model, run_model, secret_model,
                         keyring_model, erasure_model, refusal_model, sink_model, cluster_model, compliance_model,
                         settings_model, memory_model, board_model, message_model, inbox_model, document_model,
                         goal_model, installation_model, chat_model, mcp_usage_model>;

template <class Visit>
void each_model(Visit visit) {
    boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, models>>(
        [&](auto model) { visit.template operator()<typename decltype(model)::type>(); });
}

template <class Variant, class Visit>
void each_alternative(Visit visit) {
    boost::mp11::mp_for_each<boost::mp11::mp_transform<boost::mp11::mp_identity, Variant>>(
        [&](auto type) { visit.template operator()<typename decltype(type)::type>(); });
}

/// An event whose type is gone: the model's own `upcast` has to know it.
template <class Model>
bool reads_removed(std::string_view type, int version, const std::string& stored) {
    if constexpr (requires { Model::upcast(type, std::uint16_t{1}, stored); }) {
        return Model::upcast(type, static_cast<std::uint16_t>(version), stored).has_value();
    } else {
        return type.empty() && version == 0 && !stored.empty(); // there is no such file
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(golden_files)

BOOST_AUTO_TEST_CASE(every_kind_of_the_product_is_checked_here) {
    std::set<std::string> here;
    each_model([&]<class Model>() { here.emplace(Model::kind); });
    for (const auto& [name, kind] : entity_kinds({})) {
        BOOST_CHECK_MESSAGE(here.contains(name), "the kind '" << name << "' has no golden files: add its model here");
    }
    BOOST_TEST(here.size() == entity_kinds({}).size());
}

BOOST_AUTO_TEST_CASE(every_event_reads_what_each_of_its_versions_stored) {
    each_model([&]<class Model>() {
        const auto folder = "events/" + std::string(Model::kind);
        each_alternative<typename Model::event>([&]<class Event>() {
            const auto type = wire_name<Event>::value;
            golden::check_stored<Event>(
                folder, type, "the event '" + std::string(type) + "' of the kind '" + std::string(Model::kind) + "'");
        });
        golden::check_orphans(folder, reads_removed<Model>);
    });
}

BOOST_AUTO_TEST_CASE(every_state_reads_what_each_of_its_versions_stored) {
    each_model([&]<class Model>() {
        golden::check_stored<typename Model::state>("states", Model::kind,
                                                    "the state of the kind '" + std::string(Model::kind) + "'");
    });
    golden::check_orphans("states");
}

BOOST_AUTO_TEST_CASE(every_command_reads_what_waits_in_timers_and_on_the_way_to_others) {
    each_model([&]<class Model>() {
        const auto folder = "commands/" + std::string(Model::kind);
        each_alternative<typename Model::command>([&]<class Command>() {
            const auto type = wire_name<Command>::value;
            golden::check_command<Command>(
                folder, type, "the command '" + std::string(type) + "' of the kind '" + std::string(Model::kind) + "'");
        });
        golden::check_orphans(folder);
    });
}

BOOST_AUTO_TEST_SUITE_END()
