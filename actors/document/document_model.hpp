#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/document_messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A document: what is known of it, and which blobs its versions are. Pure; neither events nor state hold contents.
namespace troupe::actors {

struct document_created {
    uuid organization;
    std::string title;
    document_type type = document_type::deliverable;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::vector<std::string> labels;
    document_access organization_access = document_access::none;
    bool is_template = false;
    std::string created_by;
};
BOOST_DESCRIBE_STRUCT(document_created, (),
                      (organization, title, type, task_id, project_id, labels, organization_access, is_template,
                       created_by))

/// The next version of the content.
struct document_written {
    document_content content;
    std::string by;
    std::optional<std::uint64_t> restored_from;
};
BOOST_DESCRIBE_STRUCT(document_written, (), (content, by, restored_from))

/// What changed.
struct document_updated {
    std::optional<std::string> title;
    std::optional<document_type> type;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::optional<std::vector<std::string>> labels;
    std::optional<bool> is_template;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(document_updated, (), (title, type, task_id, project_id, labels, is_template, by))

struct document_shared {
    std::vector<uuid> user_ids;
    bool organization = false;
    document_access access = document_access::none;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(document_shared, (), (user_ids, organization, access, by))

struct document_deleted {};
BOOST_DESCRIBE_STRUCT(document_deleted, (), ())

struct document_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    bool deleted = false;
    std::string title;
    document_type type = document_type::deliverable;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::vector<std::string> labels;
    document_access organization_access = document_access::none;
    std::vector<document_share> shared_with;
    bool is_template = false;
    std::uint64_t newest = 0;               ///< Number of the newest version of the content.
    std::vector<document_content> versions; ///< The last `document_versions_max`; the newest one is the last.
    std::string created_by;
    timestamp created_at;
    std::string updated_by;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(document_state, (),
                      (id, organization, deleted, title, type, task_id, project_id, labels, organization_access,
                       shared_with, is_template, newest, versions, created_by, created_at, updated_by, updated_at))

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::document_created)
TROUPE_NAMED(troupe::actors::document_written)
TROUPE_NAMED(troupe::actors::document_updated)
TROUPE_NAMED(troupe::actors::document_shared)
TROUPE_NAMED(troupe::actors::document_deleted)

namespace troupe::actors {

struct document_model {
    static constexpr std::string_view kind = document_kind;
    using state = document_state;
    using command = std::variant<create_document, update_document, restore_document, share_document, delete_document>;
    using event = std::variant<document_created, document_written, document_updated, document_shared, document_deleted>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    /// Index keys: "" and FILTER=VALUE of all documents, for those who manage them; "organization" and
    /// "organization,FILTER=VALUE" of those that all may read; "reader=NAME" of private ones, for each of their
    /// readers.
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// `document_versions_collection`: `document_version`; those that are not kept any more are removed.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
    /// The contents of all versions that are kept.
    static std::vector<std::string_view> blobs(const state&);
    /// Their bytes: each version's, whether or not others have the same content.
    static std::vector<usage_amount> holds(const state&);
};

/// The number of the oldest version that is kept, of a document with versions up to `newest`.
std::uint64_t oldest_document_version(std::uint64_t newest);

} // namespace troupe::actors
