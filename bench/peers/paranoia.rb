# paranoia on ActiveRecord: paranoia.rb PARENTS.  Models with acts_as_paranoid and
# dependent: :destroy on tables of its own; writes lines "measurement milliseconds".
# "all" is measured on every hundredth parent and multiplied: it goes row by row.
require "active_record"
require "paranoia"

ActiveRecord::Base.establish_connection(adapter: "postgresql", host: ENV["PGHOST"], username: ENV["PGUSER"],
                                        database: ENV["PGDATABASE"])
ActiveRecord::Base.connection.execute("CREATE SCHEMA paranoia; SET search_path = paranoia")
ActiveRecord::Schema.verbose = false
parents = ARGV[0].to_i

ActiveRecord::Schema.define do
  create_table(:ps) { |t| t.string :name; t.datetime :deleted_at }
  create_table(:cs) { |t| t.bigint :p_id, index: true; t.string :name; t.datetime :deleted_at }
  create_table(:gs) { |t| t.bigint :c_id, index: true; t.string :name; t.datetime :deleted_at }
end
class P < ActiveRecord::Base; acts_as_paranoid; has_many :cs, class_name: "C", foreign_key: :p_id, dependent: :destroy; end
class C < ActiveRecord::Base
  acts_as_paranoid
  belongs_to :p, class_name: "P"
  has_many :gs, class_name: "G", foreign_key: :c_id, dependent: :destroy
end
class G < ActiveRecord::Base; acts_as_paranoid; belongs_to :c, class_name: "C"; end

ActiveRecord::Base.connection.execute(<<SQL)
INSERT INTO ps (id, name) SELECT i, 'parent ' || i FROM generate_series(1, #{parents}) i;
INSERT INTO cs (id, p_id, name) SELECT i, (i - 1) / 10 + 1, 'child ' || i FROM generate_series(1, #{parents * 10}) i;
INSERT INTO gs (id, c_id, name) SELECT i, (i - 1) / 10 + 1, 'grandchild ' || i FROM generate_series(1, #{parents * 100}) i;
ANALYZE;
SQL

def ms
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  (Process.clock_gettime(Process::CLOCK_MONOTONIC) - start) * 1000
end

def median(values) = values.sort[values.size / 2]

# what is timed is rolled back, as for the others
def rolled_back(&block)
  time = nil
  ActiveRecord::Base.transaction do
    time = ms(&block)
    raise ActiveRecord::Rollback
  end
  time
end

P.find(1).cs.first.gs.first # warm
few = [parents / 100, 1].max
puts "one row\t#{median((1..10).map { rolled_back { G.find(77).destroy } })}"
puts "tree\t#{median((1..5).map { rolled_back { P.find(7).destroy } })}"
puts "all\t#{rolled_back { P.where("id <= ?", few).destroy_all } * parents / few}"
puts "read\t#{ms { (1..200).each { |i| G.joins(:c).where(id: i).pluck(:id, "cs.name") } } / 200}"
