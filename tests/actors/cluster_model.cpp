#include "actors/cluster/cluster_model.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

BOOST_AUTO_TEST_SUITE(cluster_entity)

BOOST_FIXTURE_TEST_CASE(each_act_is_an_event_of_its_own_and_nothing_is_shown, entity<cluster_model>) {
    BOOST_TEST(std::get<node_drain_requested>(accepted(drain_node{"n1"}).at(0)).node == "n1");
    BOOST_TEST(std::get<node_resume_requested>(accepted(resume_node{"n1"}).at(0)).node == "n1");
    BOOST_TEST(std::get<node_removal_requested>(accepted(remove_node{"n2"}).at(0)).node == "n2");
    const auto moved = std::get<shard_move_requested>(accepted(move_shard{17, "n3"}).at(0));
    BOOST_TEST(moved.shard == 17U);
    BOOST_TEST(moved.node == "n3");
    BOOST_TEST(std::get<shard_return_requested>(accepted(move_shard_back{17}).at(0)).shard == 17U);
    BOOST_TEST(state().requested == 5U);
    BOOST_TEST(!view().exists);
}

BOOST_FIXTURE_TEST_CASE(what_came_of_an_act_names_it, entity<cluster_model>) {
    accepted(drain_node{"n1"});
    BOOST_TEST(std::get<cluster_changed>(accepted(note_cluster_change{1, "", ""}).at(0)).request == 1U);
    accepted(drain_node{"n9"});
    const auto failed = std::get<cluster_change_failed>(
        accepted(note_cluster_change{3, "not_found", "the cluster has no node \"n9\""}).at(0));
    BOOST_TEST(failed.request == 3U);
    BOOST_TEST(failed.code == "not_found");
    BOOST_TEST(failed.detail == "the cluster has no node \"n9\"");
    BOOST_TEST(state().requested == 2U);
    BOOST_TEST(state().failed == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
